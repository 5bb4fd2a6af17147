/**
 * Removes dead nodes from presence in small steps: no script examines more than a few hundred accounts. Only the holder of
 * a lease does this. Any node may repeat any step, because a dead node stays marked in `heartbeats` until all of its records
 * are gone.
 */
import type { Store } from './redis/client.ts';
import { PRESENCE_SHARDS } from './redis/keys.ts';

/** A node is dead after this long without a heartbeat: it has missed five. */
export const DEAD_AFTER_MS = 15_000;
/** Shorter than DEAD_AFTER_MS: when the holder dies, another node has the lease before its death is noticed. */
const LEASE_MS = 10_000;
/** Accounts that one script looks at. */
const STEP = 500;
/** Value of a node in a shard: it cannot announce anything there any more. */
const CLOSED = -1;
/** Value of a node in `heartbeats`: it is being evicted. */
const EVICTED = 0;

export type EvictionStore = ReturnType<typeof createEvictionStore>;

/** Accounts that dead nodes announced, in one part of a shard. `gone`: on dead nodes only; `elsewhere`: on others too. */
export type DeadPart = { nextCursor: string; gone: string[]; elsewhere: string[] };

export function createEvictionStore({ keys, commands, run, attempt }: Store, nodeId: string) {
  const takeLease = async (ms: number) => (await run('lease-take', [keys.evictor], [nodeId, ms])) === 1;
  const shards = Array.from({ length: PRESENCE_SHARDS }, (_, shard) => shard);

  return {
    shards,

    /** Returns whether this node is the one that evicts dead nodes. Called with every heartbeat. */
    takeLease: (): Promise<boolean> => takeLease(LEASE_MS),
    giveUpLease: (): Promise<unknown> => takeLease(0),

    /** The dead nodes. They cannot send heartbeats under their ids any more. */
    markDead: (): Promise<string[]> => run('nodes-mark-dead', [keys.heartbeats], [DEAD_AFTER_MS]),

    /**
     * Mark nodes that are in a shard but not in `heartbeats` as dead: `heartbeats` lost them, or they registered after they had been
     * evicted. Compares numbers first, which are equal unless that has happened.
     */
    async markUnlisted(): Promise<void> {
      const sizes = await attempt(
        Promise.all([keys.heartbeats, ...shards.map(keys.onlineNodes)].map((key) => commands.hlen(key))),
      );
      for (const shard of shards) {
        if (sizes[shard + 1] === sizes[0]) continue;
        const ids = await attempt(commands.hkeys(keys.onlineNodes(shard)));
        if (ids.length === 0) continue;
        const beats = await attempt(commands.hmget(keys.heartbeats, ...ids));
        for (const [index, id] of ids.entries())
          if (beats[index] === null) await attempt(commands.hsetnx(keys.heartbeats, id, EVICTED));
      }
    },

    /** Stop dead nodes from announcing anything in a shard. */
    async close(shard: number, dead: string[]): Promise<void> {
      const fields = Object.fromEntries(dead.map((id) => [id, CLOSED]));
      await attempt(commands.hset(keys.onlineNodes(shard), fields));
    },

    async findPart(shard: number, cursor: string, dead: string[]): Promise<DeadPart> {
      const args = [cursor, STEP, ...dead];
      const [nextCursor, gone, elsewhere] = await run('presence-find-dead', [keys.online(shard)], args);
      return { nextCursor, gone, elsewhere };
    },

    async evict(shard: number, dead: string[], usernames: string[]): Promise<void> {
      const args = [keys.channels.presence, shard, dead.length, ...dead, ...usernames];
      await run('presence-evict', [keys.online(shard)], args);
    },

    /** Delete the nodes from a shard's registry. Call when the shard has no records of them any more. */
    async forgetInShard(shard: number, dead: string[]): Promise<void> {
      await attempt(commands.hdel(keys.onlineNodes(shard), ...dead));
    },

    /** Delete the marks of the nodes. Call when no shard has records of them any more. */
    async forget(dead: string[]): Promise<void> {
      await attempt(commands.hdel(keys.heartbeats, ...dead));
    },
  };
}
