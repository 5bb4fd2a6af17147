/** How a session ends when Redis fails between the steps. */
import { expect, test } from 'vitest';
import { createAccountStore } from '../../../src/store/accounts.ts';
import { createPresenceStore } from '../../../src/store/presence.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { createSessionStore } from '../../../src/store/sessions.ts';
import { account, testStore } from '../../kit/store.ts';

const TTL = { accessTtlMs: 60_000, refreshTtlMs: 600_000 };
const TOKENS = { presentedHash: 'h1', nextHash: 'h2', nonceHash: '' };

function sessionsOn(store: Store) {
  const ended: string[] = [];
  return { ended, sessions: createSessionStore(store, { ...TTL, onRevoked: (sid) => ended.push(sid) }) };
}

/** Alice with one session, on a node whose second step fails, and another node. */
async function aliceOn(step: 'session-revoke' | 'session-forget') {
  const store = await testStore();
  await account(store, 'alice');
  const state = { isFailing: true };
  const fail = () => {
    if (state.isFailing) throw new Error('away');
  };
  const failing: Store = {
    ...store,
    run: async (name, ...rest) => {
      if (name === step) fail();
      return store.run(name, ...rest);
    },
  };
  const [node, other] = [sessionsOn(failing), sessionsOn(store)];
  await node.sessions.open(newSession('s1'), '2026-01-01T00:00:00.000Z');
  return { store, state, node, other };
}

const newSession = (sid: string, max = 100) => ({
  ...{ username: 'alice', sid, refreshHash: 'h1', device: '', max },
});

test('the steps after a failed one are completed by a repeat, on any node', async () => {
  const { store, state, node, other } = await aliceOn('session-revoke');
  await expect(node.sessions.end('alice', 's1')).rejects.toThrow('away');
  expect(node.sessions.isRevoked('s1'), 'a repeat on this node must not be rejected').toBe(false);
  expect(await other.sessions.refresh({ username: 'alice', sid: 's1', ...TOKENS })).toBe(false);
  expect(other.ended, 'the presented token leads to the session').toEqual(['s1']);
  await other.sessions.end('alice', 's1');
  expect(await store.commands.hgetall(store.keys.sessions('alice'))).toEqual({});
  state.isFailing = false;
  await node.sessions.sync();
  expect(node.ended).toEqual(['s1']);
});

test('a token that is used twice ends the session, and a repeat completes that', async () => {
  const { node, other } = await aliceOn('session-revoke');
  const second = { username: 'alice', sid: 's1', ...TOKENS };
  expect(await node.sessions.refresh(second)).toBe(true);
  await expect(node.sessions.refresh(second)).rejects.toThrow('away');
  expect(other.ended).toEqual([]);
  expect(await other.sessions.refresh(second)).toBe(false);
  expect(other.ended).toEqual(['s1']);
});

test('a session over the limit that could not be ended is ended by the next login', async () => {
  const { node, other } = await aliceOn('session-revoke');
  const [oldest] = (await node.sessions.open(newSession('s2', 1), 'now')) ?? [];
  await expect(node.sessions.end('alice', oldest!)).rejects.toThrow('away');
  expect(await other.sessions.open(newSession('s3', 1), 'now')).toContain('s1');
});

test('a node completes what it began when Redis is back', async () => {
  for (const step of ['session-revoke', 'session-forget'] as const) {
    const { store, state, node, other } = await aliceOn(step);
    await expect(node.sessions.end('alice', 's1')).rejects.toThrow('away');
    state.isFailing = false;
    await node.sessions.sync();
    await other.sessions.sync();
    expect(other.ended).toEqual(['s1']);
    expect(await store.commands.exists(store.keys.session('alice', 's1'))).toBe(0);
  }
});

test('an ended session is recognized as ended until its last access token expires', async () => {
  const { store, node } = await aliceOn('session-revoke');
  await expect(node.sessions.end('alice', 's1')).rejects.toThrow('away');
  const ms = await store.commands.pttl(store.keys.session('alice', 's1'));
  expect(ms).toBeGreaterThan(TTL.accessTtlMs - 10_000);
  expect(ms).toBeLessThanOrEqual(TTL.accessTtlMs);
});

test('revoking twice counts once, so that the copies of other nodes stay equal', async () => {
  const store = await testStore();
  const { sessions } = sessionsOn(store);
  for (let n = 0; n < 3; n += 1) await sessions.end('alice', 's1');
  expect(await store.commands.hget(store.keys.revoked, '#')).toBe('1');
});

test('a long list of ended sessions is read in parts', async () => {
  const store = await testStore();
  const { keys, commands, now } = store;
  const entries = Object.fromEntries(Array.from({ length: 3_000 }, (_, n) => [`s${n}`, now() + 60_000]));
  await commands.hset(keys.revoked, { ...entries, '#': 3_000 });
  const { ended, sessions } = sessionsOn(store);
  await sessions.sync();
  expect(ended).toHaveLength(3_000);
  const { ended: again } = sessionsOn(store);
  expect(again).toEqual([]);
});

test('scripts of accounts, sessions and presence touch the keys of one slot', async () => {
  const store = await testStore();
  await account(store, 'alice');
  const slots: string[][] = [];
  const watched: Store = {
    ...store,
    run: (name, keys, args) => {
      slots.push([name, ...new Set(keys.map((key) => /\{([^}]+)\}/.exec(key)?.[1] ?? key))]);
      return store.run(name, keys, args);
    },
  };
  const accounts = createAccountStore(watched);
  await accounts.reserveSkeleton('bob', 'digest');
  await accounts.create({
    ...{ username: 'bob', displayName: 'Bob', passwordHash: 'x', isPasswordPrepared: true },
    ...{ createdAt: 'now', lastSeenAt: null, skeleton: 'digest' },
  });
  await accounts.setSkeleton('bob', 'digest');
  const { sessions } = sessionsOn(watched);
  await sessions.open(newSession('s1'), 'now');
  for (let n = 0; n < 2; n += 1) await sessions.refresh({ username: 'alice', sid: 's1', ...TOKENS });
  await sessions.end('alice', 's1');
  const { eviction, ...presence } = createPresenceStore(watched, 'n-1');
  await presence.sendHeartbeat();
  await presence.join('alice');
  await presence.leave('alice');
  await eviction.takeLease();
  await eviction.markDead();
  await eviction.findPart(0, '0', ['n-2']);
  await eviction.evict(0, ['n-2'], ['alice']);
  expect(slots.filter(([, ...each]) => each.length > 1)).toEqual([]);
  expect(new Set(slots.map(([name]) => name)).size).toBe(15);
});
