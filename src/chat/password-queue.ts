/**
 * Who is next to have a password checked. Checks are the one thing here that costs real time, so they take turns: next is
 * whoever's network has used the least lately, and within a network whose account has. A client that keeps asking
 * waits behind those who ask once. Wider IPv6 networks count too, with as many shares as their factor says.
 *
 * A place is taken before anything else is done for an attempt. Whoever would wait too long gets none, at once.
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

type Entry = Asker & { order: number; state: 'held' | 'waiting' | 'running' | 'served'; start: () => void };

export const PLACES_PER_ACCOUNT = 2;
/** Times a network's factor. */
export const PLACES_PER_NETWORK = 32;
const PLACES = 1_024;
/** From the place to the end of the check: the rest of a request's 5 s is for what comes before and after. */
const SERVED_WITHIN_MS = 4_000;
/** What one account uses counts so many times: a network stands for several. */
const ACCOUNT_WEIGHT = 4;
/** What somebody has used counts half after so long. */
const HALF_LIFE_MS = 30_000;
/** Of how many networks and accounts the use is known; the longest unused are forgotten. */
const USERS_KNOWN = 8_192;
/** How much the last check says about how long the next takes. */
const SMOOTHING = 0.3;

const busy = () =>
  new Problem('busy', 'Too many passwords are being checked. Try again shortly.', { retryAfterMs: 2_000 });

export type PasswordQueue = ReturnType<typeof createPasswordQueue>;

export function createPasswordQueue({ threads, nowMs }: { threads: number; nowMs: () => number }) {
  const entries = new Set<Entry>();
  const held = new Map<string, number>();
  const used = createUse(nowMs);
  let running = 0;
  let order = 0;
  /** What a check takes here, lately: the cost sets it, and who else uses the cores. */
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

  /** How many will be served before a newcomer, as far as can be told now. */
  function ahead(asker: Asker): number {
    const own = asker.networks[0]?.key;
    const mine = share(asker);
    let before = running;
    let ownBefore = 0;
    const others = new Map<string, { count: number; share: number; factor: number }>();
    for (const entry of entries) {
      if (entry.state === 'running' || entry.state === 'served') continue;
      if (entry.networks[0]?.key === own) ownBefore += 1;
      else {
        const widest = entry.networks.at(-1)!;
        const other = others.get(widest.key) ?? { count: 0, share: share(entry), factor: widest.factor };
        other.count += 1;
        others.set(widest.key, other);
      }
    }
    for (const { count, share, factor } of others.values())
      before += Math.min(count, Math.max(0, Math.floor((mine + ownBefore - share + 1) * factor)));
    return before + ownBefore;
  }

  function next(): Entry | undefined {
    let best: { entry: Entry; share: number; own: number } | undefined;
    for (const entry of entries) {
      if (entry.state !== 'waiting') continue;
      const each = { entry, share: share(entry), own: used.by(entry.who ?? '') };
      const isBefore =
        !best || (each.share - best.share || each.own - best.own || entry.order - best.entry.order) < 0;
      if (isBefore) best = each;
    }
    return best?.entry;
  }

  function pump(): void {
    while (running < threads) {
      const entry = next();
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
      const waitMs = Math.ceil((ahead(asker) + 1) / threads) * usualMs;
      if (entries.size >= PLACES || waitMs > SERVED_WITHIN_MS) throw busy();
      const entry: Entry = { ...asker, order: order++, state: 'held', start: () => {} };
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
        leave() {
          if (!entries.delete(entry)) return;
          hold(asker, -1);
        },
      };
    },
  };
}

/** An account's key has a space in it, a network's has none. */
const keysOf = ({ networks, who }: Asker): string[] => [
  ...(who === undefined ? [] : [who]),
  ...networks.map(({ key }) => key),
];

/** Counts that fade. */
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
        known.delete(key); // the order of the map is that of the last use
        known.set(key, { amount, atMs: nowMs() });
      }
      for (const oldest of known.keys()) {
        if (known.size <= USERS_KNOWN) return;
        known.delete(oldest);
      }
    },
  };
}
