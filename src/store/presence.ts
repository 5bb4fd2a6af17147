/**
 * Which accounts have a stream, and on which nodes. Accounts are spread over 16 hashes; only a change between offline
 * and online is published. When a node stops sending heartbeats, any other node evicts it.
 */
import type { Store } from './redis/client.ts';
import { PRESENCE_SHARDS } from './redis/keys.ts';

/** A node is dead after this long without a heartbeat: it has missed five. */
const DEAD_AFTER_MS = 15_000;
/** A stopping node is evicted after this long, so that its clients can reconnect elsewhere without a flicker. */
const LEAVE_GRACE_MS = 6_000;
/** Redis scan cursors are 64-bit integers; a larger value is an error. */
const MAX_SCAN_CURSOR = 2n ** 64n - 1n;

export type OnlineRecord = { username: string; sinceMs: number };
export type OnlinePart = { total: number; users: OnlineRecord[]; nextCursor: string | null };

export type PresenceStore = ReturnType<typeof createPresenceStore>;

export function createPresenceStore(store: Store, nodeId: string) {
  const shards = Array.from({ length: PRESENCE_SHARDS }, (_, shard) => store.keys.online(shard));
  return { ...createNodeRecord(store, nodeId, shards), ...createOnlineList(store, shards) };
}

/**
 * Everything this node announced is recorded under its node id. When Redis returns as another process, it may lack the
 * latest announcements or contain ones that were withdrawn. The node then takes a new id and announces every account
 * again; records under the old id are evicted as if that node had died.
 */
function createNodeRecord(store: Store, nodeId: string, shards: string[]) {
  const { keys, commands, run, attempt } = store;
  const channel = keys.channels.presence;
  let currentId = nodeId;
  let idCount = 1;
  let redisProcess: string | undefined;

  async function heartbeat(ageMs: number) {
    const [now, known, redis, ...dead] = await run(
      'node-heartbeat',
      [keys.nodes],
      [currentId, DEAD_AFTER_MS, ageMs],
    );
    store.setClock(now);
    return { isKnown: known === 1, redis, dead };
  }

  async function retire(): Promise<void> {
    await heartbeat(DEAD_AFTER_MS - LEAVE_GRACE_MS);
  }

  return {
    /** 'unknown': this node was declared dead and must send a heartbeat first. */
    join: (username: string) =>
      run('presence-join', [keys.onlineOf(username), keys.nodes], [username, currentId, channel]),
    leave: (username: string) =>
      run('presence-leave', [keys.onlineOf(username)], [username, currentId, channel]),

    /** Returns whether the node was still known (if not, announce every account again), and the dead nodes. */
    async sendHeartbeat(): Promise<{ isKnown: boolean; dead: string[] }> {
      const reply = await heartbeat(0);
      if (reply.redis === (redisProcess ?? reply.redis)) {
        redisProcess = reply.redis;
        return reply;
      }
      await retire();
      idCount += 1;
      currentId = `${nodeId}.${idCount}`;
      redisProcess = reply.redis;
      return heartbeat(0);
    },

    /** Announce that this node is stopping; another node evicts its records after the grace period. */
    retire,

    /** Remove dead nodes from presence. Returns the accounts that went offline as a result. */
    async evict(dead: string[]): Promise<string[]> {
      const offline = await Promise.all(
        shards.map((shard) => run('presence-evict', [shard, keys.nodes], [channel, ...dead])),
      );
      await attempt(commands.hdel(keys.nodes, ...dead));
      return offline.flat();
    },
  };
}

function createOnlineList({ keys, commands, attempt }: Store, shards: string[]) {
  const scan = (shard: number, from: string, limit: number): Promise<Batch> =>
    attempt(commands.hscan(shards[shard]!, from, 'COUNT', limit));

  /** The first batch of as many shards as a page is likely to need, in one round trip. */
  function readAhead(shard: number, from: string, limit: number, counts: number[]): Promise<Batch[]> {
    let end = shard + 1;
    while (end < PRESENCE_SHARDS && sum(counts.slice(shard, end)) < limit) end += 1;
    const range = shards.slice(shard, end);
    return Promise.all(range.map((_, index) => scan(shard + index, index === 0 ? from : '0', limit)));
  }

  const sizes = (): Promise<number[]> => attempt(Promise.all(shards.map((shard) => commands.hlen(shard))));

  return {
    async isOnline(username: string): Promise<boolean> {
      return (await attempt(commands.hexists(keys.onlineOf(username), username))) === 1;
    },

    async total(): Promise<number> {
      return sum(await sizes());
    },

    /**
     * One page, in no particular order. An account that stays online from the first page to the last is listed.
     * The cursor is `shard-scanCursor-skip`: HSCAN returns batches of any size, so a page may end inside a batch.
     */
    async list(limit: number, cursor: string | null, signal?: AbortSignal): Promise<OnlinePart | undefined> {
      const position = /^(\d{1,2})-(\d{1,20})-(\d{1,6})$/.exec(cursor ?? '0-0-0');
      if (!position || BigInt(position[2]!) > MAX_SCAN_CURSOR) return undefined;
      const counts = await sizes();
      let [shard, from, skip] = [Number(position[1]), position[2]!, Number(position[3])];
      const users = new Map<string, OnlineRecord>();
      let batches: Batch[] = [];
      while (shard < PRESENCE_SHARDS) {
        signal?.throwIfAborted();
        if (batches.length === 0) batches = await readAhead(shard, from, limit, counts);
        const [next, flat] = batches.shift()!;
        for (let i = skip * 2; i < flat.length; i += 2) {
          if (users.size === limit) return page(users, counts, `${shard}-${from}-${i / 2}`);
          users.set(flat[i]!, { username: flat[i]!, sinceMs: Number.parseInt(flat[i + 1]!, 10) });
        }
        if (next === '0') shard += 1;
        else batches.unshift(await scan(shard, next, limit));
        [from, skip] = [next, 0];
      }
      return page(users, counts, null);
    },
  };
}

/** The reply of HSCAN: the next cursor ('0' at the end), and field, value, … */
type Batch = [next: string, flat: string[]];

const sum = (counts: number[]): number => counts.reduce((total, count) => total + count, 0);

function page(users: Map<string, OnlineRecord>, counts: number[], nextCursor: string | null): OnlinePart {
  return { total: sum(counts), users: [...users.values()], nextCursor };
}
