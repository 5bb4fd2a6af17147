/** What one turn of fan-out may write, and how long it leaves to others afterwards. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { batchBytes, pauseAfter } from '../../src/streams/batch.ts';

const MAX_STREAM_BYTES = 1_048_576;
const MIB = 1_048_576;

test('all streams together are written at most 32 MiB in one turn, and each at least 8 KiB', () => {
  expect(batchBytes(MAX_STREAM_BYTES, 1)).toBe(MAX_STREAM_BYTES / 2); // one must not fall behind by its own turn
  for (const audience of [100, 1_000, 4_096]) {
    expect(batchBytes(MAX_STREAM_BYTES, audience)).toBe((32 * MIB) / audience);
  }
  for (const audience of [10_000, 100_000]) expect(batchBytes(MAX_STREAM_BYTES, audience)).toBe(8_192);
});

test('after a short turn the next may follow at once; after a long one it waits as long, but 15 ms at most', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
  onTestFinished(() => now.mockRestore());
  const restMs = (tookMs: number) => Math.max(0, pauseAfter(1_000 - tookMs) - 1_000);
  expect([0, 1, 4.9].map(restMs)).toEqual([0, 0, 0]);
  expect([5, 12, 15, 16, 500].map(restMs)).toEqual([5, 12, 15, 15, 15]);
});
