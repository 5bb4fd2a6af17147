/** The nodePresence alone: what it says to a presence that can fail. */
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

test('who has a stream is announced once, and again when the node had been declared dead', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  await vi.advanceTimersByTimeAsync(2 * BEAT_MS);
  expect(arrivals).toEqual(['alice']);
  state.isKnown = false;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  expect(arrivals).toEqual(['alice', 'alice']);
});

// A node was stopped for half a minute and swept. Its first heartbeat afterwards made it known again, but the answer,
// that it had not been known, was lost with the connection; the second heartbeat heard that all was well.
test('a heartbeat without an answer may have been the one that would have told: everybody is announced again', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  state.isAway = true;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  state.isAway = false;
  await vi.advanceTimersByTimeAsync(BEAT_MS);
  expect(arrivals).toEqual(['alice', 'alice']);
});

// The first `leave` of all: Redis did not know the script. Between its answer and the script as a whole the account came
// back, and Redis took the arrival first. Everybody was told that they had gone, and nobody that they were there.
test('who comes back while Redis is told that they left is announced again afterwards', async () => {
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

test('a node that learns from an arrival that it was declared dead beats at once', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  Object.assign(state, { answers: 'unknown', isKnown: false });
  await made.arrived('bob');
  state.answers = 'came';
  await vi.advanceTimersByTimeAsync(1);
  expect(arrivals.sort()).toEqual(['alice', 'alice', 'bob', 'bob']);
});

// Each change was told to everybody within 250 ms: above 12,000 streams the telling took longer than that.
test('changes are gathered for 250 ms, and longer on a node with very many streams', async () => {
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

// Redis had no memory: it forgot who left, and could not take the moment when. The whole was tried again later, and whoever
// came back before that was taken for announced: offline for everybody, for good.
test('who comes back after a departure that was half done is announced', async () => {
  const { made, arrivals, state } = nodePresence();
  await made.arrived('alice');
  state.isFull = true;
  made.left('alice');
  await vi.advanceTimersByTimeAsync(6_000);
  await made.arrived('alice');
  expect(arrivals).toEqual(['alice', 'alice']);
});

// A node was stopped for half a minute. What it then read first was old: that its own people had gone. That they were back
// was published while it had no subscriber; the list that devices fetched had them, and then came the old change.
test('what was gathered before changes were missed is not told after the order to fetch the list', async () => {
  const { made, told, state } = nodePresence();
  made.hear('-alice');
  made.missed();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(told.splice(0)).toEqual([{ total: 0, resync: true }]);
  state.slowMs = 100;
  made.hear('-alice');
  await vi.advanceTimersByTimeAsync(300); // gathered, and being counted
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
