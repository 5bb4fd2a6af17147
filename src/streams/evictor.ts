/**
 * Evicts dead nodes while this node holds the lease. It works in small steps with pauses, so that Redis serves
 * others in between. If it dies, another node repeats what it began: the time when an account was last seen is stored
 * before the account is removed, and the mark of a dead node is the last thing to be deleted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountStore } from '../store/accounts.ts';
import type { DeadPart } from '../store/eviction.ts';
import type { PresenceStore } from '../store/presence.ts';
import { StoreFull } from '../store/redis/client.ts';
import type { ReportError } from '../store/unexpected-errors.ts';

/** Writes in flight. */
const BATCH = 100;
/** Between parts of a shard; each takes Redis about 2 ms. */
const PAUSE_MS = 2;
/** After this long without a heartbeat of its own, a node cannot tell dead nodes from those that were cut off like itself. */
const CUT_OFF_AFTER_MS = 6_000;
/** By then, nodes that were cut off have sent a heartbeat. */
const SETTLE_MS = 5_000;

export type EvictorOptions = {
  presence: Pick<PresenceStore, 'eviction'>;
  accounts: Pick<AccountStore, 'setLastSeen'>;
  now: () => number;
  reportError: ReportError;
};

export function createEvictor(options: EvictorOptions) {
  const { eviction } = options.presence;
  const isSettled = createOutageCheck();
  let hasLease = false;
  let isEvicting = false;

  async function evictDead(): Promise<void> {
    const dead = await eviction.markDead();
    if (dead.length === 0) return eviction.markUnlisted();
    for (const shard of eviction.shards)
      if (hasLease) await evictFromShard(options, { shard, dead, mayContinue: () => hasLease });
    if (hasLease) await eviction.forget(dead);
  }

  return {
    /** Called with every heartbeat. Does not wait for an eviction to end. */
    async check(): Promise<void> {
      const isReady = isSettled();
      hasLease = await eviction.takeLease();
      if (!hasLease || !isReady || isEvicting) return;
      isEvicting = true;
      void evictDead()
        // Redis is unavailable: the next heartbeat begins again
        .catch((error: unknown) => options.reportError('the eviction of a dead node', error))
        .finally(() => {
          isEvicting = false;
        });
    },

    /** Leave the rest to another node. */
    async stop(): Promise<void> {
      hasLease = false;
      await eviction.giveUpLease().catch(() => {});
    },
  };
}

/** After an outage of Redis, nobody's last heartbeat is recent. */
function createOutageCheck(): () => boolean {
  let checkedAtMs = performance.now();
  let settledAtMs = checkedAtMs;
  return () => {
    const nowMs = performance.now();
    if (nowMs - checkedAtMs > CUT_OFF_AFTER_MS) settledAtMs = nowMs + SETTLE_MS;
    checkedAtMs = nowMs;
    return nowMs >= settledAtMs;
  };
}

async function evictFromShard(
  { presence: { eviction }, accounts, now }: EvictorOptions,
  { shard, dead, mayContinue }: { shard: number; dead: string[]; mayContinue: () => boolean },
): Promise<void> {
  await eviction.close(shard, dead);
  let part: DeadPart | undefined = await eviction.findPart(shard, '0', dead);
  while (part) {
    const { nextCursor, gone, elsewhere }: DeadPart = part;
    const isLast = nextCursor === '0';
    const at = new Date(now()).toISOString();
    const following: [Promise<DeadPart> | undefined, Promise<void>] = [
      isLast ? undefined : eviction.findPart(shard, nextCursor, dead),
      setLastSeen(accounts, gone, at),
    ];
    [part] = await Promise.all(following);
    if (gone.length + elsewhere.length > 0) await eviction.evict(shard, dead, [...gone, ...elsewhere]);
    await sleep(PAUSE_MS);
    if (!mayContinue()) return;
  }
  await eviction.forgetInShard(shard, dead);
}

async function setLastSeen(
  accounts: EvictorOptions['accounts'],
  usernames: string[],
  at: string,
): Promise<void> {
  for (let i = 0; i < usernames.length; i += BATCH) {
    const batch = usernames.slice(i, i + BATCH);
    await Promise.all(batch.map((username) => accounts.setLastSeen(username, at).catch(ignoreFull)));
  }
}

/** A full Redis cannot store the last-seen time, but presence must still be corrected. */
function ignoreFull(error: unknown): void {
  if (!(error instanceof StoreFull)) throw error;
}
