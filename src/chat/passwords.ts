/**
 * bcrypt, on libuv's threads and never on the event loop. At most one less than there are cores at a time, so that a
 * crowd at the door does not slow down those inside; a bounded queue behind that, then `busy`. Workers share the cores,
 * but each has one thread at least.
 */
import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { Problem } from './problems.ts';

/** At cost 12 a hash takes about 200 ms: the last in the queue waits about 3 s for one core, within the 5 s of a request. */
const QUEUE_PER_THREAD = 15;

export type Passwords = ReturnType<typeof createPasswords>;

export function createPasswords(cost: number, workers: number) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / workers));
  const waiting: (() => void)[] = [];
  let running = 0;
  // Compared with when there is no such account, so that both answers take the same time.
  const dummy = bcrypt.hash('nobody', cost);

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (running >= threads) {
      if (waiting.length >= threads * QUEUE_PER_THREAD) {
        throw new Problem('busy', 'Too many passwords are being checked. Try again shortly.', {
          retryAfterMs: 2_000,
        });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  }

  return {
    hash: (password: string): Promise<string> => queued(() => bcrypt.hash(password, cost)),

    /** `hash` undefined: nobody has it; takes as long, and is false. */
    async matches(password: string, hash: string | undefined): Promise<boolean> {
      const against = hash ?? (await dummy);
      const isSame = await queued(() => bcrypt.compare(password, against));
      return isSame && hash !== undefined && Buffer.byteLength(password) <= 72;
    },
  };
}
