/**
 * The queue of messages not yet stored by the server, in order. Each message keeps its idempotency key across attempts,
 * so it is stored exactly once. It stays queued while the server is unreachable, and is removed when the server has
 * stored or rejected it.
 */
import type { Message, Parley, Problem } from '@parley-chat/client';
import { isRetryable } from './problems.ts';

/** The target for broadcasts; not a valid username. */
export const EVERYBODY = '*';
export type OutgoingMessage = { to: string; text: string };
export type Outcome =
  | { kind: 'sent'; message: Message }
  | { kind: 'refused'; outgoing: OutgoingMessage; problem: Problem }
  | { kind: 'waiting'; problem: Problem };

export type Outbox = ReturnType<typeof createOutbox>;

const RETRY_MS = 5_000;

export function createOutbox(parley: Parley, newKey: () => string) {
  const waiting: (OutgoingMessage & { key: string })[] = [];
  const stop = new AbortController();
  let onOutcome: (outcome: Outcome) => void = () => {};
  let isSending = false;
  let retryNow = () => {};

  const post = ({ to, text, key }: OutgoingMessage & { key: string }) => {
    const options = { idempotencyKey: key, signal: stop.signal };
    return to === EVERYBODY ? parley.sendBroadcast(text, options) : parley.sendDirect(to, text, options);
  };

  /** Resolves after `ms`, or when `retryNow` is called. */
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      retryNow = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function run(): Promise<void> {
    if (isSending) return;
    isSending = true;
    for (let outgoing = waiting[0]; outgoing && !stop.signal.aborted; outgoing = waiting[0]) {
      const { data: message, problem } = await post(outgoing);
      if (problem && isRetryable(problem)) {
        onOutcome({ kind: 'waiting', problem });
        await pause('retryAfterSeconds' in problem ? problem.retryAfterSeconds * 1_000 : RETRY_MS);
        continue;
      }
      waiting.shift();
      onOutcome(message ? { kind: 'sent', message } : { kind: 'refused', outgoing, problem });
    }
    isSending = false;
  }
  // The only error is the abort by `close`.
  const start = (): void => void run().catch(() => {});

  return {
    /** Sets the listener; there is only one, the current screen. */
    onOutcome(listener: (outcome: Outcome) => void): void {
      onOutcome = listener;
    },
    send(message: OutgoingMessage): void {
      waiting.push({ ...message, key: newKey() });
      start();
    },
    waiting: (): readonly OutgoingMessage[] => waiting,
    /** Ends the wait before the next attempt. */
    retryNow: (): void => retryNow(),
    /** Stops sending and returns the unsent messages. */
    close(): readonly OutgoingMessage[] {
      stop.abort();
      retryNow();
      return waiting;
    },
  };
}
