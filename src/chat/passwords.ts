/**
 * Hashes and checks passwords off the event loop: on threads (password-threads.ts), in fair turns (password-queue.ts), one
 * per core. Workers share the cores, but each has at least one thread. Decision 022 states the cost.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { type Attempt, busy, PasswordQueue, type Place } from './password-queue.ts';
import { isTooLong, preparePassword } from './password-rules.ts';
import type { PasswordThreads } from './password-threads.ts';

/** Older accounts have the hash of the password as typed, without preparation. */
export type StoredPassword = { hash: string; isPrepared: boolean };

export type Passwords = ReturnType<typeof createPasswords>;
export type PasswordsLog = { error(fields: { err: unknown }, message: string): void };

export type PasswordOptions = {
  cost: number;
  /** Number of processes that share the cores. */
  workers: number;
  log: PasswordsLog;
  /** Shared by all nodes of a process. */
  threads: PasswordThreads;
};

export function createPasswords(options: PasswordOptions) {
  const { cost, workers, log, threads } = options;
  const threadCount = Math.max(1, Math.floor(availableParallelism() / workers));
  const queue = new PasswordQueue({ threads: threadCount, nowMs: () => performance.now() });
  /** The highest cost of any hash so far: the configured one, or that of an account with a more expensive hash. */
  let highestCost = cost;

  /** Without a valid hash, compares with a dummy, so that the time does not reveal whether the account exists. */
  async function compare(password: string, stored: StoredPassword | undefined): Promise<boolean> {
    const storedCost = stored && costOf(stored.hash);
    highestCost = Math.max(highestCost, storedCost ?? 0);
    const input = stored?.isPrepared === false ? password : preparePassword(password);
    const hash = storedCost === undefined ? dummyHash(highestCost) : stored!.hash;
    const isEqual = await threads.compare(input, hash);
    if (isEqual && storedCost !== undefined && !isTooLong(input)) return true;
    // Pads a cheap hash to the time of the most expensive: 2^c + 2^c + 2^(c+1) + … = 2^highestCost.
    for (let more = storedCost ?? highestCost; more < highestCost; more += 1)
      await threads.compare(input, dummyHash(more));
    return false;
  }

  /** A job fails if its thread exits. The client may retry. */
  const reportBusy = (error: unknown): never => {
    log.error({ err: error }, 'a password thread exited');
    throw busy();
  };

  return {
    /** Call before the node listens. */
    start: () =>
      threads.start(threadCount).catch(() => {
        throw new Error('Cannot load bcrypt in a thread. Run `npm ci` with this version of Node.');
      }),

    /** Call before any other work for an attempt, and leave the place when the attempt is over. */
    enter: (attempt: Attempt): Place => queue.enter(attempt),
    queueLength: () => queue.waitingCount,

    hash: (place: Place, password: string, signal?: AbortSignal): Promise<string> =>
      place.run(() => threads.hash(preparePassword(password), cost).catch(reportBusy), signal),

    /** `stored` is undefined for an unknown account. Every mismatch takes the same work. */
    matches: (
      place: Place,
      password: string,
      stored: StoredPassword | undefined,
      signal?: AbortSignal,
    ): Promise<boolean> => place.run(() => compare(password, stored).catch(reportBusy), signal),

    /** Whether a matching password needs a new hash: its cost differs, or it was not prepared. */
    isOutdated: (password: string, { hash, isPrepared }: StoredPassword): boolean =>
      (costOf(hash) !== cost || !isPrepared) && !isTooLong(preparePassword(password)),
  };
}

function costOf(hash: string): number | undefined {
  try {
    return bcrypt.getRounds(hash);
  } catch {
    return undefined; // an invalid hash matches no password
  }
}

/** A hash of this cost that no password matches. */
function dummyHash(cost: number): string {
  const digits = randomBytes(40).toString('hex');
  return `$2b$${String(cost).padStart(2, '0')}$${digits.slice(0, 21)}e${digits.slice(22, 53)}`;
}
