/** The summary of who is online, over a list that counts how often it is read. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createOnlineSummary } from '../../../src/chat/online-summary.ts';
import type { AccountStore } from '../../../src/store/accounts.ts';
import type { PresenceStore } from '../../../src/store/presence.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp(names: string[]) {
  const state = {
    names,
    misses: 0,
    reads: 0,
    namesRead: [] as string[],
    displayName: (username: string) => username.toUpperCase(),
    list: async () => {},
  };
  const summary = createOnlineSummary({
    store: {
      sizes: { total: () => state.names.length, missCount: () => state.misses, ofShards: () => [] },
      list: async () => {
        state.reads += 1;
        const users = state.names.slice(0, 100).map((username) => ({ username, sinceMs: 1_000 }));
        await state.list();
        return { total: state.names.length, users, nextCursor: null };
      },
    } as unknown as PresenceStore, // the part that is used
    accounts: {
      displayNames: async (usernames: string[]) => {
        state.namesRead.push(...usernames);
        return usernames.map(state.displayName);
      },
    } as unknown as AccountStore,
  });
  const get = async () => {
    const { total, users } = await summary.get();
    expect(users.length).toBe(Math.min(100, total));
    return users.map(({ displayName }) => displayName);
  };
  return { summary, state, get };
}

const online = (username: string) => ({ kind: 'online', username, sinceMs: 2_000 }) as const;
const offline = (...usernames: string[]) => ({ kind: 'offline', usernames }) as const;

test('follows the published changes without reading the list again', async () => {
  const { summary, state, get } = setUp(['alice', 'bob']);
  expect(await get()).toEqual(['ALICE', 'BOB']);
  state.names = ['bob', 'carol'];
  summary.receive(offline('alice'));
  summary.receive(online('carol'));
  expect(await get()).toEqual(['BOB', 'CAROL']);
  expect((await summary.get()).users[1]).toEqual({
    ...{ username: 'carol', displayName: 'CAROL', since: '1970-01-01T00:00:02.000Z' },
  });
  expect([state.reads, state.namesRead]).toEqual([1, ['alice', 'bob', 'carol']]);
});

test('reads the display name of a user again when it has changed', async () => {
  const { summary, state, get } = setUp(['alice', 'bob']);
  await get();
  state.displayName = (username) => `${username} the Great`;
  summary.receive({ kind: 'renamed', username: 'alice' });
  expect(await get()).toEqual(['alice the Great', 'BOB']);
  expect(state.reads).toBe(1);
});

test('reads the list again at most once a second when users are missing', async () => {
  const names = Array.from({ length: 150 }, (_, n) => `user${n}`);
  const { summary, state } = setUp(names);
  expect((await summary.get()).users).toHaveLength(100);
  state.names = names.slice(1);
  summary.receive(offline('user0'));
  for (let n = 0; n < 5; n += 1) expect((await summary.get()).users).toHaveLength(99);
  expect(state.reads).toBe(1);
  await vi.advanceTimersByTimeAsync(1_001);
  for (let n = 0; n < 5; n += 1) expect((await summary.get()).users).toHaveLength(100);
  expect(state.reads).toBe(2);
});

test('reads the list again when messages were missed, and after half a minute', async () => {
  const { state, get } = setUp(['alice']);
  await get();
  state.misses += 1;
  state.names = ['bob'];
  expect(await get()).toEqual(['BOB']);
  state.names = ['carol'];
  await vi.advanceTimersByTimeAsync(30_001);
  expect(await get()).toEqual(['CAROL']);
});

test('applies what is received while the list is being read', async () => {
  const { summary, state, get } = setUp(['alice', 'bob']);
  state.list = async () => {
    summary.receive(offline('alice'));
    summary.receive(online('carol'));
    state.names = ['bob', 'carol'];
  };
  expect(await get()).toEqual(['BOB', 'CAROL']);
});

test('reads the list again after a failure, in which changes may have been lost', async () => {
  const { summary, state, get } = setUp(['alice']);
  await get();
  state.names = ['alice', 'bob'];
  await vi.advanceTimersByTimeAsync(1_001);
  state.list = async () => {
    summary.receive(offline('alice'));
    throw new Error('away');
  };
  await expect(summary.get()).rejects.toThrow('away');
  Object.assign(state, { names: ['bob'], list: async () => {} }); // as many as are in memory
  expect(await get()).toEqual(['BOB']);
});
