import { expect, onTestFinished, test, vi } from 'vitest';
import type { LogStore } from '../../../src/store/log/log-store.ts';
import { type Store, StoreUnavailable } from '../../../src/store/redis/client.ts';
import type { LogFollower } from '../../../src/streams/log-follower.ts';
import { createLogPoller } from '../../../src/streams/log-poller.ts';
import type { Subscriber } from '../../../src/streams/subscriber.ts';
import { testHub } from '../../kit/hub.ts';

/** Subscribers with counted checks, by log name. */
function watchedPoller(count: number) {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const checks = new Map<string, number>();
  const follower = { compare: async () => {} } as unknown as LogFollower;
  const names = Array.from({ length: count }, (_, index) => `user${index}`);
  const subscribers = new Map(
    names.map((username) => [username, { username, follower } as unknown as Subscriber]),
  );
  const keys = { everyone: { hash: 'everyone' }, inbox: (name: string) => ({ hash: name }) };
  const outage = { times: 0, error: new StoreUnavailable('away') as Error };
  const reportError = vi.fn();
  const ends = async (hashes: string[]) => {
    if (outage.times > 0) {
      outage.times -= 1;
      throw outage.error;
    }
    for (const hash of hashes) checks.set(hash, (checks.get(hash) ?? 0) + 1);
    return hashes.map(() => ({ epoch: '', seq: 0, mark: '' }));
  };
  const poller = createLogPoller({
    ...{ store: { keys } as unknown as Store, logs: { ends } as unknown as LogStore },
    ...{ broadcasts: { follower }, subscribers, reportError },
  });
  onTestFinished(() => poller.stop());
  return { poller, checks, subscribers, outage, reportError };
}

test('every inbox is checked once per round, and the broadcasts each time', async () => {
  const { checks, subscribers } = watchedPoller(2_500);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(checks.size).toBe(1 + 1_000);
  subscribers.delete('user7');
  subscribers.delete('user1100');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(checks.get('everyone')).toBe(3);
  checks.delete('everyone');
  expect(checks.size).toBe(2_499);
  expect([...checks.values()].every((times) => times === 1)).toBe(true);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(checks.get('user0')).toBe(2);
});

test('after the subscriber reconnects, every log is checked at once', async () => {
  const { poller, checks } = watchedPoller(2_500);
  await poller.checkAll();
  expect(checks.size).toBe(2_501);
});

// The subscriber was back before the command connection: the check failed, and the next one came only with the slow
// rotation.
test('the check repeats until Redis has replied, even if the subscriber reconnects meanwhile', async () => {
  const { poller, checks, outage } = watchedPoller(300);
  outage.times = 4;
  void poller.checkAll();
  void poller.checkAll();
  await vi.advanceTimersByTimeAsync(1_400);
  expect(checks.size).toBe(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(checks.size).toBe(301);
  expect([...checks.values()].every((times) => times === 1)).toBe(true);
});

test('a stopping node does not repeat the check', async () => {
  const { poller, outage } = watchedPoller(300);
  outage.times = 100;
  void poller.checkAll();
  poller.stop();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(outage.times).toBe(99);
});

// A resync and a change in one turn of the event loop: the later one replaced the earlier.
test('two presence events in one turn are both written', async () => {
  const { hub, open } = await testHub();
  const res = await open('alice', 'all');
  res.drain();
  hub.sendPresence({ total: 2, resync: true });
  hub.sendPresence({ total: 2, online: ['bob'], offline: [] });
  await vi.waitFor(() => {
    res.drain();
    expect(res.taken).toContain('"resync":true');
    expect(res.taken).toContain('"online":["bob"]');
  });
});

test('an unknown error is reported, and the next round checks again', async () => {
  const { poller, checks, outage, reportError } = watchedPoller(1);
  outage.error = new Error('MOVED 7045 127.0.0.1:1');
  outage.times = 2;
  await poller.checkAll();
  await vi.advanceTimersByTimeAsync(5_000);
  expect(reportError.mock.calls).toEqual(Array(2).fill(['the log poller', outage.error]));
  expect(checks.size).toBe(0);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(checks.get('everyone')).toBe(1);
});
