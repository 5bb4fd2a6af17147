/**
 * Acknowledges what a consumer has taken from a stream: gathered for a moment, since the newest message stands for all
 * before it. What cannot be told now is told with the next one, or when the moment is over again. What is never told
 * comes again with the next new stream: too often rather than never.
 */
import type { Problem, Result } from './problem.ts';

export type Acknowledger = ReturnType<typeof createAcknowledger>;

const GATHER_MS = 500;
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

  function later(): void {
    timer ??= setTimeout(() => void flush(), GATHER_MS);
  }

  async function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = pending;
    pending = undefined;
    if (upTo === undefined) return;
    const { problem } = await acknowledge(upTo);
    if (!problem || !PASSING.has(problem.code)) return;
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
