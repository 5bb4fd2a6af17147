/** Node presence alone, over a presence store that can fail. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StoreUnavailable } from '../../src/store/redis/client.ts';
import { createNodePresence } from '../../src/streams/node-presence.ts';

const BEAT_MS = 3_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function nodePresence() {
  const arrivals: string[] = [];
  const told: object[] = [];
  const state = {
    isAway: false,
    isKnown: true,
    answers: 'came' as 'came' | 'unknown',
    streams: 1,
    isFull: false,
    slowMs: 0,
    leave: async () => {},
  };
  const made = createNodePresence({
    presence: {
      arrive: async (username: string) => {
        arrivals.push(username);
        return state.answers;
      },
      leave: async () => {
        await state.leave();
        return 'went';
      },
      beat: async () => {
        if (state.isAway) throw new StoreUnavailable('away');
        return { known: state.isKnown, dead: [] };
      },
      retire: async () => {},
      evict: async () => [],
      total: async () => {
        if (state.slowMs) await new Promise((resolve) => setTimeout(resolve, state.slowMs));
        return 0;
      },
    } as unknown as Parameters<typeof createNodePresence>[0]['presence'], // what the nodePresence uses of it
    accounts: {
      seen: async () => {
        if (state.isFull) throw new StoreUnavailable('no memory');
      },
    } as unknown as Parameters<typeof createNodePresence>[0]['accounts'],
    now: () => 0,
    onChange: (change) => told.push(change),
    streams: () => state.streams,
    onBeat: async () => {},
  });
  return { made, arrivals, told, state };
}

test('an account with a stream is announced once, and again after the node was declared dead', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
  expect(arrivals).toEqual(['alice']);
  state.isKnown = false;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  expect(arrivals).toEqual(['alice', 'alice']);
});

// A node was suspended for half a minute and evicted. Its first heartbeat made it known again, but the reply, that it
// had been unknown, was lost with the connection; the second heartbeat reported no problem.
test('after a heartbeat without a reply every account is announced again', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  state.isAway = true;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  state.isAway = false;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  expect(arrivals).toEqual(['alice', 'alice']);
});

// On the first `leave` Redis did not know the script. Before the script was resent the account came back, and Redis
// processed the join first. Every client saw the account leave and none saw it return.
test('an account that returns while its leave is in progress is announced again afterwards', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  let taken = () => {};
  state.leave = () =>
    new Promise((resolve) => {
      taken = resolve;
    });
  made.left('alice');
  await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
  await made.arrived('alice');
  expect(arrivals).toEqual(['alice', 'alice']);
  taken();
  await vi.advanceTimersByTimeAsync(0);
  expect(arrivals).toEqual(['alice', 'alice', 'alice']);
});

test('a node that learns from a join that it was declared dead sends a heartbeat immediately', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  Object.assign(state, { answers: 'unknown', isKnown: false });
  await made.arrived('bob');
  state.answers = 'came';
  await vi.advanceTimersByTimeAsync(1);
  expect(arrivals.sort()).toEqual(['alice', 'alice', 'bob', 'bob']);
});

// Each change was sent to every stream within 250 ms: above 12,000 streams the sending took longer than that.
test('changes are collected for 250 ms, and longer on a node with very many streams', async () => {
  const { made, told, state } = nodePresence();
  made.hear('+alice');
  await vi.advanceTimersByTimeAsync(249);
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual([{ online: ['alice'], offline: [], total: 0 }]);
  state.streams = 30_000;
  for (const payload of ['+bob', '-bob', '-alice']) made.hear(payload);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(told).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  expect(told.slice(1)).toEqual([{ online: [], offline: ['bob', 'alice'], total: 0 }]);
});

// Redis was out of memory: it recorded the leave, but could not store the time. The whole operation was retried later,
// and an account that returned before that was considered announced: permanently offline for every client.
test('an account that returns after a half-completed leave is announced', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  state.isFull = true;
  made.left('alice');
  await vi.advanceTimersByTimeAsync(6_000);
  await made.arrived('alice');
  expect(arrivals).toEqual(['alice', 'alice']);
});

// A node was suspended for half a minute. It first read an old change: its own accounts had left. Their return was
// published while it had no subscriber. Clients fetched a list that contained them, and then received the old change.
test('changes collected before a resync are not sent after it', async () => {
  const { made, told, state } = nodePresence();
  made.hear('-alice');
  made.missed();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told.splice(0)).toEqual([{ total: 0, resync: true }]);
  state.slowMs = 100;
  made.hear('-alice');
  await vi.advanceTimersByTimeAsync(300); // collected, and being counted
  made.missed();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told).toEqual([{ total: 0, resync: true }]);
  state.slowMs = 0;
  made.hear('-bob');
  await vi.advanceTimersByTimeAsync(250 - 1);
  made.hear('+bob');
  await vi.advanceTimersByTimeAsync(250);
  expect(told.slice(1)).toEqual([{ online: ['bob'], offline: [], total: 0 }]);
});
