/** The eviction of dead nodes, on the real scripts. */
import { expect, test } from 'vitest';
import { createAccountStore } from '../../../src/store/accounts.ts';
import { createPresenceStore, type PresenceStore } from '../../../src/store/presence.ts';
import { PRESENCE_SHARDS } from '../../../src/store/redis/keys.ts';
import { createEvictor } from '../../../src/streams/evictor.ts';
import { until } from '../../kit/app.ts';
import { account, testStore } from '../../kit/store.ts';

type Store = Awaited<ReturnType<typeof testStore>>;
type Eviction = PresenceStore['eviction'];

const NAMES = Array.from({ length: 40 }, (_, n) => `user${n}`);
/** Accounts that are also on the node that lives. */
const SHARED = NAMES.slice(0, 10);

/** A node with accounts that has died, and one that lives. */
async function deadNode(store: Store) {
  const [dead, living] = [createPresenceStore(store, 'n-dead'), createPresenceStore(store, 'n-living')];
  for (const node of [dead, living]) await node.sendHeartbeat();
  await account(store, ...NAMES);
  for (const name of NAMES) await dead.join(name);
  for (const name of SHARED) await living.join(name);
  await store.commands.hset(store.keys.heartbeats, 'n-dead', 1_000);
  return living;
}

function evictorOf(store: Store, presence: { eviction: Eviction }, setLastSeen?: () => Promise<void>) {
  const accounts = createAccountStore(store);
  return createEvictor({
    presence,
    accounts: setLastSeen ? { setLastSeen } : accounts,
    now: store.now,
    reportError: () => {},
  });
}

async function onlineNames({ keys, commands }: Store): Promise<string[]> {
  const shards = Array.from({ length: PRESENCE_SHARDS }, (_, shard) => commands.hkeys(keys.online(shard)));
  return (await Promise.all(shards)).flat().sort();
}

async function isEvicted({ keys, commands }: Store): Promise<boolean> {
  return (await commands.hexists(keys.heartbeats, 'n-dead')) === 0;
}

async function lastSeen({ keys, commands }: Store): Promise<string[]> {
  const times = await Promise.all(NAMES.map((name) => commands.hget(keys.account(name), 'lastSeenAt')));
  return NAMES.filter((_, index) => times[index]);
}

/** Throws from the call with this number on, as if the node had died. */
function dyingAt(eviction: Eviction, call: number): { eviction: Eviction; calls: () => number } {
  let calls = 0;
  const dying = new Proxy(eviction, {
    get: (target, name: keyof Eviction) => {
      const member = target[name];
      if (typeof member !== 'function' || name === 'takeLease') return member;
      return (...args: never[]) => {
        calls += 1;
        if (calls >= call) throw new Error('the node has died');
        return (member as (...args: never[]) => unknown)(...args);
      };
    },
  });
  return { eviction: dying, calls: () => calls };
}

const GONE = NAMES.filter((name) => !SHARED.includes(name));

test('a dead node is removed, and the accounts that were only there were last seen now', async () => {
  const store = await testStore();
  const living = await deadNode(store);
  await evictorOf(store, living).check();
  await until('it is evicted', () => isEvicted(store));
  expect(await onlineNames(store)).toEqual([...SHARED].sort());
  expect(await lastSeen(store)).toEqual(GONE);
  const { keys, commands } = store;
  for (let shard = 0; shard < PRESENCE_SHARDS; shard += 1)
    expect(await commands.hkeys(keys.onlineNodes(shard))).toEqual(['n-living']);
});

test('a node without the lease evicts nobody', async () => {
  const store = await testStore();
  const living = await deadNode(store);
  await createPresenceStore(store, 'n-holder').eviction.takeLease();
  await evictorOf(store, living).check();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await onlineNames(store)).toHaveLength(NAMES.length);
});

test('whenever the evicting node dies, another one completes the eviction and nothing is lost', async () => {
  for (let call = 1, isComplete = false; !isComplete; call += 5) {
    const store = await testStore();
    const living = await deadNode(store);
    const dying = dyingAt(living.eviction, call);
    const first = evictorOf(store, dying);
    await first.check();
    await until('it ends or dies', async () => dying.calls() >= call || (await isEvicted(store)));
    isComplete = await isEvicted(store);
    const known = new Set(await onlineNames(store));
    expect(await lastSeen(store), 'stored before the account is removed').toEqual(
      expect.arrayContaining(NAMES.filter((name) => !known.has(name))),
    );
    await store.commands.del(store.keys.evictor); // the lease expires
    await evictorOf(store, createPresenceStore(store, 'n-other')).check();
    await until('it is evicted', () => isEvicted(store));
    expect(await onlineNames(store)).toEqual([...SHARED].sort());
    expect(await lastSeen(store)).toEqual(GONE);
  }
});

test('a dead node that resumes cannot announce anything in a shard while that is being read', async () => {
  const store = await testStore();
  const living = await deadNode(store);
  const late = createPresenceStore(store, 'n-dead');
  const replies: string[] = [];
  const eviction: Eviction = {
    ...living.eviction,
    findPart: async (shard, ...rest) => {
      if (shard === store.keys.shardOf('late')) replies.push(await late.join('late'));
      return living.eviction.findPart(shard, ...rest);
    },
  };
  await evictorOf(store, { eviction }).check();
  await until('it is evicted', () => isEvicted(store));
  expect(replies).toEqual(['unknown']);
});

test('if no time can be stored, the account is not removed', async () => {
  const store = await testStore();
  const living = await deadNode(store);
  await evictorOf(store, living, async () => {
    throw new Error('the node has died');
  }).check();
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await onlineNames(store)).toHaveLength(NAMES.length);
});

test('one script looks at no more than about 500 accounts', async () => {
  const store = await testStore();
  const { keys, commands } = store;
  const living = await deadNode(store);
  const fields = Object.fromEntries(Array.from({ length: 5_000 }, (_, n) => [`many${n}`, '1 n-dead']));
  await commands.hset(keys.online(0), fields);
  const { nextCursor, gone } = await living.eviction.findPart(0, '0', ['n-dead']);
  expect(nextCursor).not.toBe('0');
  expect(gone.length).toBeLessThan(600);
});
