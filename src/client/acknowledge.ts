/**
 * Acknowledges what a consumer has taken from a stream: gathered for a moment, since the newest message stands for all
 * before it. What cannot be told now is told with the next one, or when the moment is over again. What is never told
 * comes again with the next new stream: too often rather than never.
 */
import type { Problem, Result } from './problem.ts';

export type Acknowledger = ReturnType<typeof createAcknowledger>;

const GATHER_MS = 500;
/** The longest wait between two attempts in vain. */
const LONGEST_WAIT_MS = 30_000;
const PASSING: ReadonlySet<Problem['code']> = new Set([
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
  let waitMs = GATHER_MS;

  function later(): void {
    timer ??= setTimeout(() => void flush(), waitMs);
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = pending;
    pending = undefined;
    if (upTo === undefined) return;
    const { problem } = await acknowledge(upTo);
    if (!problem || !PASSING.has(problem.code)) {
      waitMs = GATHER_MS;
      return;
    }
    waitMs = Math.min(LONGEST_WAIT_MS, waitMs * 2);
    pending ??= upTo;
    later();
  }

  return {
    taken(messageId: string): void {
      pending = messageId;
      later();
    },
    flush,
    /** The session is over: nobody is there to acknowledge for. */
    drop(): void {
      clearTimeout(timer);
      timer = undefined;
      pending = undefined;
    },
  };
}
