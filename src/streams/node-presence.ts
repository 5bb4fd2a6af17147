/**
 * This node's part of presence: says who has a stream here, and hears who came and went anywhere. What it says is
 * reconciled, not fired and forgotten: what Redis did not take is said again with the next heartbeat, and a node that
 * finds itself declared dead (it was stopped for a while) announces everybody anew.
 */
import type { AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';

const BEAT_EVERY_MS = 3_000;
/** So long an account stays online after its last stream here, so that a reconnect does not flicker. */
const GRACE_MS = 5_000;
/** Changes are told to every stream, together: rarely enough that a crowd coming in costs some percent of the time. */
const GATHER_MS = 250;
const GATHER_MS_PER_STREAM = 0.2;
const GATHER_AT_MOST_MS = 2_000;

/** `resync`: changes were missed; whoever keeps a list must fetch it again. */
export type PresenceChange = { total: number; online?: string[]; offline?: string[]; resync?: true };

export type NodePresence = ReturnType<typeof createNodePresence>;

export function createNodePresence(options: {
  presence: PresenceStore;
  accounts: AccountStore;
  now: () => number;
  onChange: (change: PresenceChange) => void;
  /** How many streams this node has. */
  streams: () => number;
  /** After each heartbeat: the moment for other chores that keep node and Redis in step. */
  onBeat: () => Promise<void>;
}) {
  const { presence, accounts, now, onChange, streams, onBeat } = options;
  /** AccountStore with a stream here; and those that announced themselves, with the moment their grace ends. */
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
    const said = await presence.arrive(username);
    if (said === 'unknown') return void chores();
    if (said === 'came') total += 1; // until it is counted again
    if (here.has(username)) announced.add(username); // who has gone meanwhile says so when they are back
  }

  async function depart(username: string): Promise<void> {
    leaving.delete(username);
    announced.delete(username); // whatever comes of it: who is back by then says so again
    let said: Awaited<ReturnType<typeof presence.leave>> | undefined;
    try {
      said = await presence.leave(username);
    } catch {
      if (!here.has(username)) leaving.set(username, performance.now() + BEAT_EVERY_MS); // Redis is away: again later
    }
    // Redis may have taken this after what who is back by now said (scripts that it does not know are sent again): once more.
    if (here.has(username)) await announce(username).catch(() => announced.delete(username));
    if (said === 'went') await seen(username).catch(() => {}); // a moment nobody waits for
  }

  async function gathered(): Promise<void> {
    gathering = undefined;
    const told = [...changes];
    changes.clear();
    const before = misses;
    total = await presence.total().catch(() => total);
    if (misses !== before) return; // older than what everybody has been told to fetch
    const pick = (state: string) => told.filter(([, to]) => to === state).map(([username]) => username);
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
    // Redis is away, and may have declared this node dead without being heard: the next beat says it all again.
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

    /** An account's first stream here. Resolves when Redis knows, or could not be told yet. */
    async arrived(username: string): Promise<void> {
      here.add(username);
      leaving.delete(username);
      if (!announced.has(username)) await announce(username).catch(() => {});
    },

    /** An account's last stream here has ended. */
    left(username: string): void {
      here.delete(username);
      leaving.set(username, performance.now() + GRACE_MS);
    },

    /** What was published: `+username` or `-username`. */
    hear(payload: string): void {
      changes.set(payload.slice(1), payload.startsWith('+') ? 'online' : 'offline');
      gathering ??= setTimeout(
        () => void gathered(),
        Math.min(Math.max(GATHER_MS, streams() * GATHER_MS_PER_STREAM), GATHER_AT_MOST_MS),
      );
    },

    /**
     * What was published may not have been heard. Everybody fetches the list again; what was gathered before is older than
     * that list, and what would have taken it back may be what was missed.
     */
    missed(): void {
      misses += 1;
      changes.clear();
      clearTimeout(gathering);
      gathering = undefined;
      onChange({ total, resync: true });
    },

    /** This node goes; its accounts are swept by another after a grace, unless they came back there. */
    async stop(): Promise<void> {
      clearInterval(beating);
      clearInterval(leavingTimer);
      clearTimeout(gathering);
      await presence.retire().catch(() => {});
    },
  };
}
