/**
 * Runs bcrypt off the event loop, on dedicated threads (password-threads.ts) behind a fair queue (password-queue.ts).
 * One check per core at a time. Workers share the cores, but each has at least one thread. Decision 022 has the cost.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { type Asker, busy, createPasswordQueue, type Place } from './password-queue.ts';
import { isTooLong, preparePassword } from './password-rules.ts';
import { type PasswordThreads, passwordThreads } from './password-threads.ts';

/** The stored password of an account. Older hashes are of the password as typed, without preparation. */
export type KeptPassword = { hash: string; isPrepared: boolean };

export type Passwords = ReturnType<typeof createPasswords>;
export type PasswordsLog = { error(fields: { err: unknown }, message: string): void };

export function createPasswords(options: {
  cost: number;
  /** Number of processes that share the cores. */
  workers: number;
  log: PasswordsLog;
  threads?: PasswordThreads;
}) {
  const { cost, workers, log, threads = passwordThreads } = options;
  const atOnce = Math.max(1, Math.floor(availableParallelism() / workers));
  const queue = createPasswordQueue({ threads: atOnce, nowMs: () => performance.now() });
  /** The highest cost seen: the configured one, or that of an account with a costlier hash. */
  let ceiling = cost;

  async function compare(password: string, kept: KeptPassword | undefined): Promise<boolean> {
    const own = kept && costOf(kept.hash);
    ceiling = Math.max(ceiling, own ?? 0);
    const given = kept?.isPrepared === false ? password : preparePassword(password);
    const isSame = await threads.compare(given, own === undefined ? dummy(ceiling) : kept!.hash);
    if (isSame && own !== undefined && !isTooLong(given)) return true;
    // Pad a cheaper hash to the time of the costliest: 2^c + 2^c + 2^(c+1) + … = 2^ceiling.
    for (let more = own ?? ceiling; more < ceiling; more += 1) await threads.compare(given, dummy(more));
    return false;
  }

  /** A check fails if its thread exits. The client may retry. */
  const failed = (error: unknown): never => {
    log.error({ err: error }, 'a thread for password checks ended');
    throw busy();
  };

  return {
    /** Call before the node listens. */
    start: () =>
      threads.start(atOnce).catch(() => {
        throw new Error('bcrypt could not be loaded in a thread. Run `npm ci` for this version of Node.');
      }),

    /** Call before any other work for an attempt, and call `leave` when it is over. */
    enter: (asker: Asker): Place => queue.enter(asker),

    hash: (place: Place, password: string, signal?: AbortSignal): Promise<string> =>
      place.run(() => threads.hash(preparePassword(password), cost).catch(failed), signal),

    /** `kept` is undefined for an unknown account. Every mismatch takes the same work. */
    matches: (
      place: Place,
      password: string,
      kept: KeptPassword | undefined,
      signal?: AbortSignal,
    ): Promise<boolean> => place.run(() => compare(password, kept).catch(failed), signal),

    /** Whether a matching password needs a new hash: its cost differs, or it was not prepared. */
    isOutdated: (password: string, { hash, isPrepared }: KeptPassword): boolean =>
      (costOf(hash) !== cost || !isPrepared) && !isTooLong(preparePassword(password)),
  };
}

function costOf(hash: string): number | undefined {
  try {
    return bcrypt.getRounds(hash);
  } catch {
    return undefined; // an invalid hash matches nothing
  }
}

/** A hash of this cost that nothing matches. */
function dummy(cost: number): string {
  const digits = randomBytes(40).toString('hex');
  return `$2b$${String(cost).padStart(2, '0')}$${digits.slice(0, 21)}e${digits.slice(22, 53)}`;
}
