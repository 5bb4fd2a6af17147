/** When a node evicts others; test/integration/streams/evictor.test.ts is about how. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createEvictor, type EvictorOptions } from '../../../src/streams/evictor.ts';

const HEARTBEAT_MS = 3_000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function setUp() {
  const marked: number[] = [];
  const errors: string[] = [];
  const state = { hasLease: true, error: undefined as Error | undefined };
  const evictor = createEvictor({
    presence: {
      eviction: {
        takeLease: async () => state.hasLease,
        markUnlisted: async () => {},
        markDead: async () => {
          marked.push(performance.now());
          if (state.error) throw state.error;
          return [];
        },
      },
    } as unknown as EvictorOptions['presence'], // the part that is used
    accounts: { setLastSeen: async () => {} },
    now: () => 0,
    reportError: (work, error) => void errors.push(`${work}: ${error}`),
  });
  return { evictor, errors, marked, state };
}

test('an eviction with an unknown error is reported, and the next heartbeat begins again', async () => {
  const { evictor, errors, marked, state } = setUp();
  state.error = new Error('ERR a reply that nobody expected');
  await evictor.check();
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  expect(errors).toEqual(['the eviction of a dead node: Error: ERR a reply that nobody expected']);
  await evictor.check();
  expect(marked).toHaveLength(2);
});

test('only the holder of the lease looks for dead nodes, with every heartbeat', async () => {
  const { evictor, marked, state } = setUp();
  state.hasLease = false;
  await evictor.check();
  expect(marked).toHaveLength(0);
  state.hasLease = true;
  for (let beat = 0; beat < 3; beat += 1) {
    await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
    await evictor.check();
  }
  expect(marked).toHaveLength(3);
});

// Redis was away for half a minute. The first node that was back declared all others dead, because none had sent a
// heartbeat for so long, and everybody went offline.
test('after an outage of Redis the other nodes get the time to send a heartbeat', async () => {
  const { evictor, marked } = setUp();
  await vi.advanceTimersByTimeAsync(30_000);
  await evictor.check();
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  await evictor.check();
  expect(marked).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(HEARTBEAT_MS);
  await evictor.check();
  expect(marked).toHaveLength(1);
});
