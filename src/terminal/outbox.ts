/**
 * What was typed and is not with the server yet, in order. Each message keeps one idempotency key for as long as it is
 * tried, so whatever the network did with the first attempt, it is stored once. It waits while the server is away, and
 * leaves when the server has it, or will never take it.
 */
import type { Message, Parley, Problem } from '../client/index.ts';
import { isPassing } from './problems.ts';

/** To everybody; no username looks like that. */
export const EVERYBODY = '*';
export type Letter = { to: string; text: string };
export type Outcome =
  | { kind: 'sent'; message: Message }
  | { kind: 'refused'; letter: Letter; problem: Problem }
  | { kind: 'waiting'; problem: Problem };

export type Outbox = ReturnType<typeof createOutbox>;

const RETRY_MS = 5_000;

export function createOutbox(parley: Parley, newKey: () => string) {
  const waiting: (Letter & { key: string })[] = [];
  const stop = new AbortController();
  let onOutcome: (outcome: Outcome) => void = () => {};
  let isSending = false;
  let wake = () => {};

  const post = ({ to, text, key }: Letter & { key: string }) => {
    const options = { idempotencyKey: key, signal: stop.signal };
    return to === EVERYBODY ? parley.sendBroadcast(text, options) : parley.sendDirect(to, text, options);
  };

  /** Until it is time, or `hurry`. */
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  async function run(): Promise<void> {
    if (isSending) return;
    isSending = true;
    for (let letter = waiting[0]; letter && !stop.signal.aborted; letter = waiting[0]) {
      const { data: message, problem } = await post(letter);
      if (problem && isPassing(problem)) {
        onOutcome({ kind: 'waiting', problem });
        await pause('retryAfterSeconds' in problem ? problem.retryAfterSeconds * 1_000 : RETRY_MS);
        continue;
      }
      waiting.shift();
      onOutcome(message ? { kind: 'sent', message } : { kind: 'refused', letter, problem });
    }
    isSending = false;
  }
  // Only our own abort is thrown: there is nobody left to tell.
  const start = (): void => void run().catch(() => {});

  return {
    /** One at a time: whoever shows what became of it. */
    onOutcome(listener: (outcome: Outcome) => void): void {
      onOutcome = listener;
    },
    send(letter: Letter): void {
      waiting.push({ ...letter, key: newKey() });
      start();
    },
    waiting: (): readonly Letter[] => waiting,
    /** The server is back: try at once. */
    hurry: (): void => wake(),
    /** Answers what was never sent. */
    close(): readonly Letter[] {
      stop.abort();
      wake();
      return waiting;
    },
  };
}
