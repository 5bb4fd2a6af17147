/**
 * bcrypt, never on the event loop: on threads of its own (password-threads.ts), in fair turns (password-queue.ts). One
 * check for each core at a time. Workers share the cores, but each has one thread at least. What that costs others is
 * in decision 022.
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { type Asker, busy, createPasswordQueue, type Place } from './password-queue.ts';
import { isTooLong, preparePassword } from './password-rules.ts';
import { type PasswordThreads, passwordThreads } from './password-threads.ts';

/** What is kept of an account's password. Hashes from before passwords were prepared are of what was typed. */
export type KeptPassword = { hash: string; isPrepared: boolean };

export type Passwords = ReturnType<typeof createPasswords>;
export type PasswordsLog = { error(fields: { err: unknown }, message: string): void };

export function createPasswords(options: {
  cost: number;
  /** How many processes share the cores. */
  workers: number;
  log: PasswordsLog;
  threads?: PasswordThreads;
}) {
  const { cost, workers, log, threads = passwordThreads } = options;
  const atOnce = Math.max(1, Math.floor(availableParallelism() / workers));
  const queue = createPasswordQueue({ threads: atOnce, nowMs: () => performance.now() });
  /** The most that a check costs: ours, or that of the costliest account that came by. */
  let ceiling = cost;

  async function compare(password: string, kept: KeptPassword | undefined): Promise<boolean> {
    const own = kept && costOf(kept.hash);
    ceiling = Math.max(ceiling, own ?? 0);
    const given = kept?.isPrepared === false ? password : preparePassword(password);
    const isSame = await threads.compare(given, own === undefined ? dummy(ceiling) : kept!.hash);
    if (isSame && own !== undefined && !isTooLong(given)) return true;
    // A cheaper hash is filled up to what the costliest takes: 2^c + 2^c + 2^(c+1) + … = 2^ceiling.
    for (let more = own ?? ceiling; more < ceiling; more += 1) await threads.compare(given, dummy(more));
    return false;
  }

  /** The check is lost with its thread. The client may try again. */
  const failed = (error: unknown): never => {
    log.error({ err: error }, 'a thread for password checks ended');
    throw busy();
  };

  return {
    /** Before the node listens. */
    start: () =>
      threads.start(atOnce).catch(() => {
        throw new Error('bcrypt could not be loaded in a thread. Run `npm ci` for this version of Node.');
      }),

    /** Before anything else is done for an attempt. Leave the place when it is over. */
    enter: (asker: Asker): Place => queue.enter(asker),

    hash: (place: Place, password: string, signal?: AbortSignal): Promise<string> =>
      place.run(() => threads.hash(preparePassword(password), cost).catch(failed), signal),

    /** `kept` undefined: there is no such account. Every refusal costs the same work. */
    matches: (
      place: Place,
      password: string,
      kept: KeptPassword | undefined,
      signal?: AbortSignal,
    ): Promise<boolean> => place.run(() => compare(password, kept).catch(failed), signal),

    /** Whether a password that matched should be hashed again: another cost, or not prepared. */
    isOutdated: (password: string, { hash, isPrepared }: KeptPassword): boolean =>
      (costOf(hash) !== cost || !isPrepared) && !isTooLong(preparePassword(password)),
  };
}

function costOf(hash: string): number | undefined {
  try {
    return bcrypt.getRounds(hash);
  } catch {
    return undefined; // nothing matches what is no hash
  }
}

/** A hash of this cost that nothing matches. */
function dummy(cost: number): string {
  const digits = randomBytes(40).toString('hex');
  return `$2b$${String(cost).padStart(2, '0')}$${digits.slice(0, 21)}e${digits.slice(22, 53)}`;
}
