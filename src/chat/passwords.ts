/**
 * bcrypt, on libuv's threads and never on the event loop. At most one less than there are cores at a time, so that a
 * crowd at the door does not slow down those inside; a bounded queue behind that, then `busy`. Workers share the cores,
 * but each has one thread at least.
 */
import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { Problem } from './problems.ts';

const QUEUE_PER_THREAD = 15;
/** Who would wait longer is refused: within the 5 s of a request there must be time for the rest. */
const QUEUE_MS = 3_000;
/** How much the last hash says about the next. */
const SMOOTHING = 0.3;

export type Passwords = ReturnType<typeof createPasswords>;

export function createPasswords(cost: number, workers: number) {
  const threads = Math.max(1, Math.floor((availableParallelism() - 1) / workers));
  const waiting: (() => void)[] = [];
  let running = 0;
  /** What a hash takes here, lately: the cost sets it, and who else uses the cores. */
  let usualMs = 0;
  // Compared with when there is no such account, so that both answers take the same time.
  const dummy = bcrypt.hash('nobody', cost);

  async function queued<T>(work: () => Promise<T>): Promise<T> {
    if (running >= threads) {
      const waitMs = (usualMs * waiting.length) / threads;
      if (waiting.length >= threads * QUEUE_PER_THREAD || waitMs > QUEUE_MS) {
        throw new Problem('busy', 'Too many passwords are being checked. Try again shortly.', {
          retryAfterMs: 2_000,
        });
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    const startedAtMs = performance.now();
    try {
      return await work();
    } finally {
      const tookMs = performance.now() - startedAtMs;
      usualMs += (tookMs - usualMs) * (usualMs === 0 ? 1 : SMOOTHING);
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
