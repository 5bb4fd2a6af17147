/** How much one batch may write, and how long fan-out pauses afterwards. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { batchBytes, pauseAfter } from '../../../src/streams/batch.ts';

const MAX_STREAM_BYTES = 1_048_576;
const MIB = 1_048_576;

test('one batch writes at most 16 MiB to all streams together, and at least 8 KiB to each', () => {
  expect(batchBytes(MAX_STREAM_BYTES, 1)).toBe(MAX_STREAM_BYTES / 2); // a single stream must not fall behind because of its own batch
  for (const audience of [100, 1_000, 2_048]) {
    expect(batchBytes(MAX_STREAM_BYTES, audience)).toBe((16 * MIB) / audience);
  }
  for (const audience of [10_000, 100_000]) expect(batchBytes(MAX_STREAM_BYTES, audience)).toBe(8_192);
});

test('a batch may follow a short one immediately, and waits as long as a long one took, up to 15 ms', () => {
  const now = vi.spyOn(performance, 'now').mockReturnValue(1_000);
  onTestFinished(() => now.mockRestore());
  const restMs = (tookMs: number) => Math.max(0, pauseAfter(1_000 - tookMs) - 1_000);
  expect([0, 1, 4.9].map(restMs)).toEqual([0, 0, 0]);
  expect([5, 12, 15, 16, 500].map(restMs)).toEqual([5, 12, 15, 15, 15]);
});
