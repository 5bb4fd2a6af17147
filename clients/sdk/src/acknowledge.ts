/**
 * Acknowledges the direct messages that a consumer has handled. Requests are batched, because acknowledging a message
 * acknowledges all earlier ones too. A failed request is retried later, or replaced by the next one. Messages that were
 * never acknowledged are delivered again on the next new stream (at-least-once delivery).
 */
import type { Problem, Result } from './problem.ts';

export type Acknowledger = ReturnType<typeof createAcknowledger>;

const BATCH_DELAY_MS = 500;
/** Upper limit of the backoff between failed attempts. */
const MAX_WAIT_MS = 30_000;
const RETRYABLE: ReadonlySet<Problem['code']> = new Set([
  'unreachable',
  'unreadable',
  'unavailable',
  'busy',
  'too_many_requests',
  'internal',
]);

export function createAcknowledger(acknowledge: (upTo: string) => Promise<Result<unknown>>) {
  let pending: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let waitMs = BATCH_DELAY_MS;

  function schedule(): void {
    timer ??= setTimeout(() => void flush(), waitMs);
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = pending;
    pending = undefined;
    if (upTo === undefined) return;
    const { problem } = await acknowledge(upTo);
    if (!problem || !RETRYABLE.has(problem.code)) {
      waitMs = BATCH_DELAY_MS;
      return;
    }
    waitMs = Math.min(MAX_WAIT_MS, waitMs * 2);
    pending ??= upTo;
    schedule();
  }

  return {
    /** Schedules an acknowledgement of this message and all before it. */
    add(messageId: string): void {
      pending = messageId;
      schedule();
    },
    flush,
    /** Discards the pending acknowledgement; for when the session has ended. */
    drop(): void {
      clearTimeout(timer);
      timer = undefined;
      pending = undefined;
    },
  };
}
