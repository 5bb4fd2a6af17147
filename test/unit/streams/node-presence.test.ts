/** Node presence alone, over a presence store that can fail. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../../src/store/redis/client.ts';
import { NodePresence, type NodePresenceOptions } from '../../../src/streams/node-presence.ts';

const HEARTBEAT_MS = 3_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const online = (username: string) => ({ kind: 'online', username, sinceMs: 0 }) as const;
const offline = (...usernames: string[]) => ({ kind: 'offline', usernames }) as const;

function createPresence() {
  const joins: string[] = [];
  const errors: string[] = [];
  const reported: object[] = [];
  const state = {
    isRedisDown: false,
    error: new StoreUnavailable('away') as Error,
    isKnown: true,
    joinReply: 'online' as 'online' | 'unknown',
    streams: 1,
    isFull: false,
    join: async () => {},
    leave: async () => {},
    total: 0,
  };
  const nodePresence = new NodePresence({
    presence: {
      join: async (username: string) => {
        joins.push(username);
        await state.join();
        return state.joinReply;
      },
      leave: async () => {
        await state.leave();
        return 'offline';
      },
      sendHeartbeat: async () => {
        if (state.isRedisDown) throw state.error;
        return { isKnown: state.isKnown };
      },
      retire: async () => {},
      sizes: { total: () => state.total },
      eviction: { takeLease: async () => false },
    } as unknown as NodePresenceOptions['presence'], // the part that NodePresence uses
    accounts: {
      setLastSeen: async () => {
        if (state.isFull) throw new StoreUnavailable('no memory');
      },
    } as unknown as NodePresenceOptions['accounts'],
    now: () => 0,
    onChange: (change) => reported.push(change),
    streams: () => state.streams,
    onHeartbeat: async () => {},
    reportError: (work, error) => void errors.push(`${work}: ${(error as Error).message}`),
  });
  return { nodePresence, joins, reported, errors, state };
}

test('an account with a stream is announced once, and again after the node was declared dead', async () => {
  const { nodePresence, joins, state } = createPresence();
  await nodePresence.join('alice');
  await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS);
  expect(joins).toEqual(['alice']);
  state.isKnown = false;
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(joins).toEqual(['alice', 'alice']);
});

// Every node announced every account again after each heartbeat without a reply, while Redis was busy enough already.
test('after a heartbeat without a reply nothing is announced again', async () => {
  const { nodePresence, joins, state } = createPresence();
  await nodePresence.join('alice');
  state.isRedisDown = true;
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  state.isRedisDown = false;
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(joins).toEqual(['alice']);
});

test('an announcement under an id that was evicted meanwhile does not count', async () => {
  const { nodePresence, joins, state } = createPresence();
  let finishJoin = () => {};
  state.join = () =>
    new Promise((resolve) => {
      finishJoin = resolve;
    });
  void nodePresence.join('alice');
  state.join = async () => {
    throw new StoreUnavailable('away');
  };
  state.isKnown = false;
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS); // announcing under the new id fails
  finishJoin(); // a script that Redis did not know was sent again
  Object.assign(state, { isKnown: true, join: async () => {} });
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(joins).toEqual(['alice', 'alice', 'alice']);
});

test('a total that a heartbeat corrects is reported, although no change was received', async () => {
  const { reported, state } = createPresence();
  state.total = 3;
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS + 250);
  expect(reported).toEqual([{ online: [], offline: [], total: 3 }]);
  await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS);
  expect(reported).toHaveLength(1);
});

// On the first `leave` Redis did not know the script. Before the script was resent the account came back, and Redis
// processed the join first. Every client saw the account leave and none saw it return.
test('an account that returns while its leave is in progress is announced again afterwards', async () => {
  const { nodePresence, joins, state } = createPresence();
  await nodePresence.join('alice');
  let finishLeave = () => {};
  state.leave = () =>
    new Promise((resolve) => {
      finishLeave = resolve;
    });
  nodePresence.leave('alice');
  await vi.advanceTimersByTimeAsync(2 * HEARTBEAT_MS);
  await nodePresence.join('alice');
  expect(joins).toEqual(['alice', 'alice']);
  finishLeave();
  await vi.advanceTimersByTimeAsync(0);
  expect(joins).toEqual(['alice', 'alice', 'alice']);
});

test('a node that learns from a join that it was declared dead sends a heartbeat immediately', async () => {
  const { nodePresence, joins, state } = createPresence();
  await nodePresence.join('alice');
  Object.assign(state, { joinReply: 'unknown', isKnown: false });
  await nodePresence.join('bob');
  state.joinReply = 'online';
  await vi.advanceTimersByTimeAsync(1);
  expect(joins.sort()).toEqual(['alice', 'alice', 'bob', 'bob']);
});

// Each change was sent to every stream within 250 ms: above 12,000 streams the sending took longer than that.
test('changes are collected for 250 ms, and longer on a node with very many streams', async () => {
  const { nodePresence, reported, state } = createPresence();
  nodePresence.receiveChange(online('alice'));
  await vi.advanceTimersByTimeAsync(249);
  expect(reported).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(reported).toEqual([{ online: ['alice'], offline: [], total: 0 }]);
  state.streams = 30_000;
  for (const message of [online('bob'), offline('bob', 'alice')]) nodePresence.receiveChange(message);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(reported).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(reported.slice(1)).toEqual([{ online: [], offline: ['bob', 'alice'], total: 0 }]);
});

// Redis was out of memory: it recorded the leave, but could not store the time. The whole operation was retried later,
// and an account that returned before that was considered announced: permanently offline for every client.
test('an account that returns after a half-completed leave is announced', async () => {
  const { nodePresence, joins, state } = createPresence();
  await nodePresence.join('alice');
  state.isFull = true;
  nodePresence.leave('alice');
  await vi.advanceTimersByTimeAsync(6_000);
  await nodePresence.join('alice');
  expect(joins).toEqual(['alice', 'alice']);
});

// A node was suspended for half a minute. It first read an old change: its own accounts had left. Their return was
// published while it had no subscriber. Clients fetched a list that contained them, and then received the old change.
test('changes collected before a resync are not sent after it', async () => {
  const { nodePresence, reported } = createPresence();
  nodePresence.receiveChange(offline('alice'));
  nodePresence.resync();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(reported.splice(0)).toEqual([{ total: 0, resync: true }]);
  nodePresence.receiveChange(offline('bob'));
  await vi.advanceTimersByTimeAsync(250 - 1);
  nodePresence.receiveChange(online('bob'));
  await vi.advanceTimersByTimeAsync(250);
  expect(reported).toEqual([{ online: ['bob'], offline: [], total: 0 }]);
});

test('a heartbeat with an unknown error is reported', async () => {
  const { errors, state } = createPresence();
  state.isRedisDown = true;
  state.error = new Error('ERR a reply that nobody expected');
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(errors).toEqual(['the heartbeat: ERR a reply that nobody expected']);
});
