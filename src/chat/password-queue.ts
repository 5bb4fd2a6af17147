/**
 * The queue for password checks. They are the only slow work of a node, so they are served fairly: the network with the
 * least recent use goes first, and within it the account with the least, so that one client cannot delay the others. The
 * prefixes of an IPv6 address count as networks too; a wide prefix may use as much as several single addresses.
 *
 * An attempt takes its place before any other work is done for it, and is rejected if its turn does not come in time. When
 * the queue is full, a new attempt displaces the one that would be served last.
 */
import type { Network } from './model.ts';
import { Problem, tooMany } from './problems.ts';
import { RecentUse } from './recent-use.ts';

/** `account`: a key for the account and where the attempt comes from; undefined for a registration. */
export type Attempt = { networks: Network[]; account: string | undefined };

export type Place = {
  /** Runs `work` when it is its turn. Rejects if the turn comes too late, or `signal` aborts first. */
  run<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T>;
  leave(): void;
};

/** `turn` is set while the entry waits to be served. */
type Entry = Attempt & {
  order: number;
  turn: { start: () => void; reject: (reason: unknown) => void } | undefined;
};

/** Compared in this order: share of the busiest network, recent use by the account, order of arrival. */
type Rank = { share: number; accountUse: number; order: number };

export const PLACES_PER_ACCOUNT = 2;
/** Multiplied by the network's factor. */
export const PLACES_PER_NETWORK = 32;
export const PLACES = 1_024;
/** From entering the queue to the end of the check. The rest of the 4.5 s per request is for other work. */
const SERVED_WITHIN_MS = 4_250;
/** Weight of the use by one account: a network has several users. */
const ACCOUNT_WEIGHT = 4;
/** Weight of the latest check in the moving average of the duration. */
const SMOOTHING = 0.3;

export const busy = () =>
  new Problem('busy', 'Too many passwords are being checked. Try again in 2 seconds.', {
    retryAfterMs: 2_000,
  });

export class PasswordQueue {
  readonly #threads: number;
  readonly #nowMs: () => number;
  readonly #entries = new Set<Entry>();
  readonly #placesTaken = new Map<string, number>();
  readonly #recentUse: RecentUse;
  #running = 0;
  #nextOrder = 0;
  /** Moving average: a check that starts later than this before its deadline would end after it. */
  #averageCheckMs = 0;

  constructor({ threads, nowMs }: { threads: number; nowMs: () => number }) {
    this.#threads = threads;
    this.#nowMs = nowMs;
    this.#recentUse = new RecentUse(nowMs);
  }

  /** Number of attempts that wait for their turn. */
  get waitingCount(): number {
    return [...this.#entries].filter(({ turn }) => turn).length;
  }

  /** Throws a problem if the account, the network or the whole queue has no place left. */
  enter(attempt: Attempt): Place {
    this.#checkPlaces(attempt);
    if (!this.#makeRoom(attempt)) throw busy();
    const entry: Entry = { ...attempt, order: this.#nextOrder++, turn: undefined };
    const startByMs = this.#nowMs() + SERVED_WITHIN_MS - this.#averageCheckMs;
    this.#entries.add(entry);
    this.#countPlaces(entry, 1);
    return {
      run: async (work, signal) => {
        await this.#waitForTurn(entry, startByMs, signal);
        return this.#serve(work);
      },
      leave: () => this.#remove(entry),
    };
  }

  #checkPlaces({ networks, account }: Attempt): void {
    const taken = (key: string): number => this.#placesTaken.get(key) ?? 0;
    if (account !== undefined && taken(account) >= PLACES_PER_ACCOUNT)
      throw tooMany(1_000, 'logins to this account at the same time');
    if (networks.some(({ key, factor }) => taken(key) >= PLACES_PER_NETWORK * factor))
      throw tooMany(1_000, 'logins from this network at the same time');
  }

  #countPlaces(attempt: Attempt, change: 1 | -1): void {
    for (const key of keysOf(attempt)) {
      const count = (this.#placesTaken.get(key) ?? 0) + change;
      if (count > 0) this.#placesTaken.set(key, count);
      else this.#placesTaken.delete(key);
    }
  }

  /** If the queue is full, evicts its last entry. Returns false if the attempt itself would be the last. */
  #makeRoom(attempt: Attempt): boolean {
    if (this.#entries.size < PLACES) return true;
    const last = this.#findWaiting('last');
    if (!last || compareRanks(last.rank, this.#rank(attempt, this.#nextOrder)) < 0) return false;
    last.entry.turn?.reject(busy());
    this.#remove(last.entry);
    return true;
  }

  #remove(entry: Entry): void {
    if (this.#entries.delete(entry)) this.#countPlaces(entry, -1);
  }

  #rank({ networks, account = '' }: Attempt, order: number): Rank {
    const accountUse = this.#recentUse.of(account);
    const shares = networks.map(({ key, factor }) => this.#recentUse.of(key) / factor);
    return { share: Math.max(accountUse * ACCOUNT_WEIGHT, ...shares), accountUse, order };
  }

  /** Returns the waiting entry that would be served first or last. */
  #findWaiting(which: 'first' | 'last'): { entry: Entry; rank: Rank } | undefined {
    let best: { entry: Entry; rank: Rank } | undefined;
    for (const entry of this.#entries) {
      if (!entry.turn) continue;
      const rank = this.#rank(entry, entry.order);
      if (!best || compareRanks(rank, best.rank) < 0 === (which === 'first')) best = { entry, rank };
    }
    return best;
  }

  #waitForTurn(entry: Entry, startByMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const onTimeout = () => entry.turn?.reject(busy());
      const onAbort = () => entry.turn?.reject(signal?.reason);
      const timer = setTimeout(onTimeout, startByMs - this.#nowMs());
      const stopWaiting = () => {
        entry.turn = undefined;
        clearTimeout(timer);
        signal?.removeEventListener('abort', onAbort);
      };
      entry.turn = {
        start: () => {
          stopWaiting();
          resolve();
        },
        reject: (reason) => {
          stopWaiting();
          reject(reason);
        },
      };
      signal?.addEventListener('abort', onAbort);
      if (signal?.aborted) onAbort();
      else this.#startNext();
    });
  }

  #startNext(): void {
    while (this.#running < this.#threads) {
      const next = this.#findWaiting('first')?.entry;
      if (!next) return;
      this.#running += 1;
      this.#recentUse.add(keysOf(next));
      next.turn?.start();
    }
  }

  async #serve<T>(work: () => Promise<T>): Promise<T> {
    const startedAtMs = this.#nowMs();
    try {
      return await work();
    } finally {
      const durationMs = this.#nowMs() - startedAtMs;
      this.#averageCheckMs +=
        (durationMs - this.#averageCheckMs) * (this.#averageCheckMs === 0 ? 1 : SMOOTHING);
      this.#running -= 1;
      this.#startNext();
    }
  }
}

/** Negative if `a` is served before `b`. */
const compareRanks = (a: Rank, b: Rank): number =>
  a.share - b.share || a.accountUse - b.accountUse || a.order - b.order;

/** Cannot collide: an account's key contains a space, a network's does not. */
const keysOf = ({ networks, account }: Attempt): string[] => [
  ...(account === undefined ? [] : [account]),
  ...networks.map(({ key }) => key),
];
