import { expect, test } from 'vitest';
import { createPresenceStore } from '../../../src/store/presence.ts';
import { PRESENCE_SHARDS } from '../../../src/store/redis/keys.ts';
import { watchCommands } from '../../kit/monitor.ts';
import { testStore } from '../../kit/store.ts';

/** Number of accounts that Redis has as online. */
async function online({ keys, commands }: Awaited<ReturnType<typeof testStore>>): Promise<number> {
  let count = 0;
  for (let shard = 0; shard < PRESENCE_SHARDS; shard += 1) count += await commands.hlen(keys.online(shard));
  return count;
}

async function startedNode(store: Awaited<ReturnType<typeof testStore>>, id: string) {
  const node = createPresenceStore(store, id);
  await node.sendHeartbeat();
  return node;
}

// A node was suspended, declared dead and evicted. It resumed, a stream opened, and it was killed before its next
// heartbeat. Its record stood under an unknown node id, so no node evicted it: a ghost that stayed online indefinitely.
test('a node that is being evicted cannot announce an account before its next heartbeat', async () => {
  const store = await testStore();
  const { keys } = store;
  const [back, other] = [await startedNode(store, 'n-back'), await startedNode(store, 'n-other')];
  expect(await back.join('alice')).toBe('online');
  await other.eviction.close(keys.shardOf('alice'), ['n-back']);
  await other.eviction.close(keys.shardOf('bob'), ['n-back']);
  expect(await back.join('bob')).toBe('unknown');
  expect(await online(store)).toBe(1);
  expect(await back.sendHeartbeat()).toEqual({ isKnown: false });
  expect(await back.join('bob')).toBe('online');
  expect(await store.commands.hget(keys.online(keys.shardOf('bob')), 'bob')).toMatch(/^\d+ n-back\.2$/);
});

// The evicting node died after the first of sixteen shards. The other node resumed and was still known, so the accounts
// it had announced in that shard stayed offline.
test('a suspended node that was marked as dead, or is gone from the nodes, takes a new id', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const [back, other] = [await startedNode(store, 'n-back'), await startedNode(store, 'n-other')];
  expect(await back.sendHeartbeat()).toEqual({ isKnown: true });
  await commands.hset(keys.heartbeats, 'n-back', 1_000);
  expect(await other.eviction.markDead()).toEqual(['n-back']);
  expect(await back.sendHeartbeat()).toEqual({ isKnown: false });
  expect(await back.sendHeartbeat()).toEqual({ isKnown: true });
  expect(await commands.hget(keys.heartbeats, 'n-back')).toBe('0');
  await other.eviction.forget(['n-back.2']);
  expect(await back.sendHeartbeat()).toEqual({ isKnown: false });
  expect(await commands.hkeys(keys.heartbeats)).toEqual(expect.arrayContaining(['n-back.3', 'n-other']));
});

test('a node whose latest changes a shard has lost takes a new id, and the old one is evicted', async () => {
  const store = await testStore();
  const { keys, commands, now } = store;
  const node = await startedNode(store, 'n-1');
  const shard = keys.shardOf('alice');
  await node.join('alice');
  const copy = await commands.hgetall(keys.onlineNodes(shard));
  await node.leave('alice');
  expect(await node.sendHeartbeat()).toEqual({ isKnown: true });
  await commands.hset(keys.onlineNodes(shard), copy); // as if Redis had restarted without the leave
  await commands.hset(keys.online(shard), 'alice', '1 n-1');
  expect(await node.join('alice'), 'before the heartbeat').toBe('unknown');
  expect(await node.sendHeartbeat()).toEqual({ isKnown: false });
  expect(await node.join('alice')).toBe('unchanged');
  const silentMs = now() - Number(await commands.hget(keys.heartbeats, 'n-1'));
  expect(silentMs, 'dead in 6 s').toBeGreaterThan(8_000);
  await commands.del(keys.onlineNodes(shard));
  expect(await node.sendHeartbeat(), 'a shard that has lost the node').toEqual({ isKnown: false });
});

test('a lost change is noticed even if later changes were counted since', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const node = await startedNode(store, 'n-1');
  const shard = keys.shardOf('alice');
  for (const change of [node.join, node.leave, node.join]) await change('alice');
  await commands.hset(keys.onlineNodes(shard), 'n-1', 2); // the last join is lost
  await commands.hdel(keys.online(shard), 'alice');
  expect(await node.leave('alice')).toBe('unknown');
  expect(await node.join('alice')).toBe('unknown');
});

test('the lease has one holder, who can renew and give it up', async () => {
  const store = await testStore();
  const [one, two] = [createPresenceStore(store, 'n-1'), createPresenceStore(store, 'n-2')];
  expect(await one.eviction.takeLease()).toBe(true);
  expect(await two.eviction.takeLease()).toBe(false);
  await two.eviction.giveUpLease();
  expect(await one.eviction.takeLease()).toBe(true);
  const ms = await store.commands.pttl(store.keys.evictor);
  expect(ms).toBeGreaterThan(5_000);
  expect(ms, 'before a dead holder is declared dead').toBeLessThan(15_000);
  await one.eviction.giveUpLease();
  expect(await two.eviction.takeLease()).toBe(true);
});

test('a node that is in a shard but not among the nodes is marked as dead', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const node = await startedNode(store, 'n-1');
  await node.eviction.markUnlisted();
  expect(await node.eviction.markDead()).toEqual([]);
  await commands.hset(keys.onlineNodes(3), 'n-late', 0);
  await node.eviction.markUnlisted();
  expect(await node.eviction.markDead()).toEqual(['n-late']);
});

test('the total follows what is published, and a heartbeat corrects it', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const [node, other] = [await startedNode(store, 'n-1'), await startedNode(store, 'n-2')];
  await node.join('alice');
  expect(node.sizes.total(), 'its own change').toBe(1);
  expect(other.sizes.total()).toBe(0);
  const shard = keys.shardOf('alice');
  expect(other.sizes.receive(`+ ${shard} 1 1795424391329 alice`)).toEqual({
    ...{ kind: 'online', username: 'alice', sinceMs: 1795424391329 },
  });
  expect(other.sizes.total()).toBe(1);
  expect(other.sizes.receive(`- ${shard} 4 bob carol`)).toEqual({
    ...{ kind: 'offline', usernames: ['bob', 'carol'] },
  });
  expect(other.sizes.total()).toBe(4);
  const misses = other.sizes.missCount();
  await other.sendHeartbeat();
  expect([other.sizes.total(), other.sizes.missCount() - misses]).toEqual([1, 1]);
  await commands.hset(keys.online(shard), 'dora', '1 n-2');
  const refreshed = other.sizes.refresh();
  other.sizes.receive(`- ${shard} 0 alice`); // newer than what is being read
  await refreshed;
  expect(other.sizes.total()).toBe(0);
});

test('a heartbeat costs a fixed number of commands, without INFO and without a list of all nodes', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const node = await startedNode(store, 'n-1');
  for (let n = 0; n < 100; n += 1) await commands.hset(keys.heartbeats, `n-other-${n}`, 9e15);
  const monitor = await watchCommands(store, keys.heartbeats.slice(0, -'heartbeats'.length));
  const names = (await monitor.during(() => node.sendHeartbeat())).map(([name]) => name!.toUpperCase());
  expect(names.length).toBeLessThanOrEqual(36);
  for (const name of names) expect(['EVALSHA', 'TIME', 'HGET', 'HSET', 'HLEN']).toContain(name);
});

test('a change costs at most 12 commands, however many nodes there are', async () => {
  const store = await testStore();
  const node = await startedNode(store, 'n-1');
  await node.join('zoe'); // Redis knows the scripts
  await node.leave('zoe');
  const monitor = await watchCommands(store, store.keys.heartbeats.slice(0, -'heartbeats'.length));
  for (const change of [node.join, node.leave]) {
    const commands = await monitor.during(() => change('alice'));
    expect(commands.length).toBeLessThanOrEqual(8);
    expect(commands.filter(([name]) => /publish/i.test(name!))).toHaveLength(1);
  }
});
