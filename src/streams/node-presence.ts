/**
 * This node's part of presence: announces which accounts have a stream here, and receives changes from all nodes.
 * Announcements are reconciled: what Redis did not accept is sent again with the next heartbeat, and a node that was
 * declared dead (it was suspended for a while) announces all its accounts again.
 */
import type { AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';

const BEAT_EVERY_MS = 3_000;
/** An account stays online this long after its last stream here ends, so that a reconnect does not flicker. */
const GRACE_MS = 5_000;
/**
 * Changes are collected and sent to every stream together, so that a mass login costs only a few percent of CPU time.
 */
const GATHER_MS = 250;
const GATHER_MS_PER_STREAM = 0.2;
const GATHER_AT_MOST_MS = 2_000;

/** `resync`: changes were missed; clients that keep a list must fetch it again. */
export type PresenceChange = { total: number; online?: string[]; offline?: string[]; resync?: true };

export type NodePresence = ReturnType<typeof createNodePresence>;

export function createNodePresence(options: {
  presence: PresenceStore;
  accounts: AccountStore;
  now: () => number;
  onChange: (change: PresenceChange) => void;
  /** Number of streams on this node. */
  streams: () => number;
  /** Called after each heartbeat, for other work that keeps node and Redis in sync. */
  onBeat: () => Promise<void>;
}) {
  const { presence, accounts, now, onChange, streams, onBeat } = options;
  /**
   * Accounts with a stream here; accounts already announced; accounts that left, with the time their grace period ends.
   */
  const here = new Set<string>();
  const announced = new Set<string>();
  const leaving = new Map<string, number>();
  const changes = new Map<string, 'online' | 'offline'>();
  let total = 0;
  let gathering: NodeJS.Timeout | undefined;
  let isBeating = false;
  let misses = 0;

  const seen = (username: string) => accounts.seen(username, new Date(now()).toISOString());

  async function announce(username: string): Promise<void> {
    const reply = await presence.arrive(username);
    if (reply === 'unknown') return void chores();
    if (reply === 'came') total += 1; // an estimate until the next count
    if (here.has(username)) announced.add(username); // if it left meanwhile, it is announced when it returns
  }

  async function depart(username: string): Promise<void> {
    leaving.delete(username);
    announced.delete(username); // whatever the outcome: an account that returns meanwhile is announced again
    let reply: Awaited<ReturnType<typeof presence.leave>> | undefined;
    try {
      reply = await presence.leave(username);
    } catch {
      if (!here.has(username)) leaving.set(username, performance.now() + BEAT_EVERY_MS); // Redis is unavailable: try again later
    }
    // The leave may have been applied after a newer join (a script retry can reorder them). Announce again.
    if (here.has(username)) await announce(username).catch(() => announced.delete(username));
    if (reply === 'went') await seen(username).catch(() => {}); // lastSeenAt is best effort
  }

  async function gathered(): Promise<void> {
    gathering = undefined;
    const collected = [...changes];
    changes.clear();
    const before = misses;
    total = await presence.total().catch(() => total);
    if (misses !== before) return; // clients already fetch the list, which is newer
    const pick = (state: string) => collected.filter(([, to]) => to === state).map(([username]) => username);
    onChange({ online: pick('online'), offline: pick('offline'), total });
  }

  async function beat(): Promise<void> {
    const { known, dead } = await presence.beat();
    if (!known) announced.clear();
    const missing: string[] = [];
    for (const username of here) if (!announced.has(username)) missing.push(username);
    await Promise.all(missing.map(announce));
    if (dead.length > 0) await Promise.all((await presence.evict(dead)).map(seen));
    total = await presence.total();
    await onBeat();
  }

  async function chores(): Promise<void> {
    if (isBeating) return;
    isBeating = true;
    // Redis is unavailable and may have declared this node dead: the next heartbeat announces every account again.
    await beat().catch(() => announced.clear());
    isBeating = false;
  }

  const beating = setInterval(() => void chores(), BEAT_EVERY_MS);
  const leavingTimer = setInterval(() => {
    for (const [username, dueAt] of leaving) if (dueAt <= performance.now()) void depart(username);
  }, 250);

  return {
    start: beat,
    total: () => total,

    /**
     * The first stream of an account on this node. Resolves when Redis knows, or when the announcement failed and was
     * queued.
     */
    async arrived(username: string): Promise<void> {
      here.add(username);
      leaving.delete(username);
      if (!announced.has(username)) await announce(username).catch(() => {});
    },

    /** The last stream of an account on this node has ended. */
    left(username: string): void {
      here.delete(username);
      leaving.set(username, performance.now() + GRACE_MS);
    },

    /** A published change: `+username` or `-username`. */
    hear(payload: string): void {
      changes.set(payload.slice(1), payload.startsWith('+') ? 'online' : 'offline');
      gathering ??= setTimeout(
        () => void gathered(),
        Math.min(Math.max(GATHER_MS, streams() * GATHER_MS_PER_STREAM), GATHER_AT_MOST_MS),
      );
    },

    /**
     * Published changes may have been missed. Every client fetches the list again. Changes collected before are older
     * than that list, and a later change that reverts them may be among the missed ones, so they are dropped.
     */
    missed(): void {
      misses += 1;
      changes.clear();
      clearTimeout(gathering);
      gathering = undefined;
      onChange({ total, resync: true });
    },

    /** This node is stopping. Another node evicts its accounts after a grace period, unless they reconnect there. */
    async stop(): Promise<void> {
      clearInterval(beating);
      clearInterval(leavingTimer);
      clearTimeout(gathering);
      await presence.retire().catch(() => {});
    },
  };
}
