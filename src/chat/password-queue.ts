/**
 * Who is next to have a password checked. Checks are the one thing here that costs real time, so they take turns: next is
 * the network that used the least lately, and within it the account that used the least. A client that keeps asking
 * waits behind those who ask once. Wider IPv6 networks count too, with as many shares as their factor says.
 *
 * A place is taken before anything else is done for an attempt. How long the wait will be is not guessed: an attempt whose
 * turn does not come in time leaves. When all places are taken, the one that would come last gives up its own.
 */
import type { Network } from './model.ts';
import { Problem, tooMany } from './problems.ts';

/** `who`: the account, as this network or this device of its owner asks for it; undefined where there is none yet. */
export type Asker = { networks: Network[]; who: string | undefined };

export type Place = {
  /** Runs `work` when it is its turn. Rejects when that comes too late or `signal` aborts. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  leave(): void;
};

type Entry = Asker & {
  order: number;
  state: 'held' | 'waiting' | 'running' | 'served';
  start: () => void;
  stop: (reason: unknown) => void;
};

/** Served in this order: smallest share, then least recent use by the account, then arrival. */
type Ranked = { share: number; own: number; order: number };

export const PLACES_PER_ACCOUNT = 2;
/** Multiplied by the network's factor. */
export const PLACES_PER_NETWORK = 32;
export const PLACES = 1_024;
/** From entering the queue to the end of the check. The rest of the 4.5 s per request is for other work. */
const SERVED_WITHIN_MS = 4_250;
/** Weight of the use by one account: a network has several users. */
const ACCOUNT_WEIGHT = 4;
/** Recorded use decays by half in this time. */
const HALF_LIFE_MS = 30_000;
/** Maximum number of networks and accounts tracked; the least recently used are evicted. */
const USERS_KNOWN = 8_192;
/** Weight of the latest check in the moving average of the duration. */
const SMOOTHING = 0.3;

export const busy = () =>
  new Problem('busy', 'Too many passwords are being checked. Try again shortly.', { retryAfterMs: 2_000 });

export type PasswordQueue = ReturnType<typeof createPasswordQueue>;

export function createPasswordQueue({ threads, nowMs }: { threads: number; nowMs: () => number }) {
  const entries = new Set<Entry>();
  const held = new Map<string, number>();
  const used = createUse(nowMs);
  let running = 0;
  let order = 0;
  /** Moving average of the check duration: a check that starts later than this before the deadline would be wasted. */
  let usualMs = 0;

  const share = ({ networks, who }: Asker): number =>
    networks.reduce(
      (most, { key, factor }) => Math.max(most, used.by(key) / factor),
      used.by(who ?? '') * ACCOUNT_WEIGHT,
    );

  function hold(asker: Asker, by: 1 | -1): void {
    for (const key of keysOf(asker)) {
      const count = (held.get(key) ?? 0) + by;
      if (count > 0) held.set(key, count);
      else held.delete(key);
    }
  }

  /** Negative if `one` is served before `other`. */
  const byTurn = (one: Ranked, other: Ranked): number =>
    one.share - other.share || one.own - other.own || one.order - other.order;

  function rank(asker: Asker, order: number): Ranked {
    return { share: share(asker), own: used.by(asker.who ?? ''), order };
  }

  /** Returns the waiting entry that would be served first or last. */
  function waiting(which: 'first' | 'last'): (Ranked & { entry: Entry }) | undefined {
    let found: (Ranked & { entry: Entry }) | undefined;
    for (const entry of entries) {
      if (entry.state !== 'waiting') continue;
      const each = { ...rank(entry, entry.order), entry };
      if (!found || byTurn(each, found) < 0 === (which === 'first')) found = each;
    }
    return found;
  }

  /** Returns false if the queue is full and no waiting entry ranks after the new one; otherwise evicts the last. */
  function makeRoom(asker: Asker): boolean {
    if (entries.size < PLACES) return true;
    const last = waiting('last');
    if (!last || byTurn(last, rank(asker, order)) < 0) return false;
    last.entry.stop(busy());
    release(last.entry);
    return true;
  }

  function release(entry: Entry): void {
    if (entries.delete(entry)) hold(entry, -1);
  }

  function pump(): void {
    while (running < threads) {
      const entry = waiting('first')?.entry;
      if (!entry) return;
      entry.state = 'running';
      running += 1;
      used.count(keysOf(entry));
      entry.start();
    }
  }

  function turn(entry: Entry, leaveBy: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (reason: unknown) => {
        if (entry.state !== 'waiting') return;
        entry.state = 'held';
        done();
        reject(reason);
      };
      const late = setTimeout(() => giveUp(busy()), leaveBy - nowMs());
      const gone = () => giveUp(signal!.reason);
      const done = () => {
        clearTimeout(late);
        signal?.removeEventListener('abort', gone);
      };
      signal?.addEventListener('abort', gone);
      entry.stop = giveUp;
      entry.state = 'waiting';
      entry.start = () => {
        done();
        resolve();
      };
      if (signal?.aborted) gone();
      else pump();
    });
  }

  async function timed<T>(work: () => Promise<T>): Promise<T> {
    const startedAtMs = nowMs();
    try {
      return await work();
    } finally {
      const tookMs = nowMs() - startedAtMs;
      usualMs += (tookMs - usualMs) * (usualMs === 0 ? 1 : SMOOTHING);
    }
  }

  return {
    enter(asker: Asker): Place {
      if (asker.who !== undefined && (held.get(asker.who) ?? 0) >= PLACES_PER_ACCOUNT)
        throw tooMany(1_000, 'logins of this account at once');
      for (const { key, factor } of asker.networks)
        if ((held.get(key) ?? 0) >= PLACES_PER_NETWORK * factor)
          throw tooMany(1_000, 'logins from this network at once');
      if (!makeRoom(asker)) throw busy();
      const entry: Entry = { ...asker, order: order++, state: 'held', start: () => {}, stop: () => {} };
      const leaveBy = nowMs() + SERVED_WITHIN_MS - usualMs;
      entries.add(entry);
      hold(asker, 1);
      return {
        async run(work, signal) {
          await turn(entry, leaveBy, signal);
          try {
            return await timed(work);
          } finally {
            running -= 1;
            entry.state = 'served';
            pump();
          }
        },
        leave: () => release(entry),
      };
    },
  };
}

/** The key of an account contains a space; the key of a network does not. */
const keysOf = ({ networks, who }: Asker): string[] => [
  ...(who === undefined ? [] : [who]),
  ...networks.map(({ key }) => key),
];

/** Counters with exponential decay. */
function createUse(nowMs: () => number) {
  const known = new Map<string, { amount: number; atMs: number }>();
  const by = (key: string): number => {
    const use = known.get(key);
    return use ? use.amount * 2 ** ((use.atMs - nowMs()) / HALF_LIFE_MS) : 0;
  };
  return {
    by,
    count(keys: string[]): void {
      for (const key of keys) {
        const amount = by(key) + 1;
        known.delete(key); // keeps the map in order of last use
        known.set(key, { amount, atMs: nowMs() });
      }
      for (const oldest of known.keys()) {
        if (known.size <= USERS_KNOWN) return;
        known.delete(oldest);
      }
    },
  };
}
