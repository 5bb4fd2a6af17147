/** Reads the list of online accounts, page by page. */
import type { Store } from './redis/client.ts';
import { PRESENCE_SHARDS } from './redis/keys.ts';

/** Redis scan cursors are 64-bit integers; a larger value is an error. */
const MAX_SCAN_CURSOR = 2n ** 64n - 1n;

export type OnlineRecord = { username: string; sinceMs: number };
export type OnlinePart = { total: number; users: OnlineRecord[]; nextCursor: string | null };

/** The reply of HSCAN: the next cursor ('0' at the end), and field, value, … */
type Batch = [next: string, flat: string[]];

export function createOnlineList({ keys, commands, attempt }: Store) {
  const scan = (shard: number, from: string, limit: number): Promise<Batch> =>
    attempt(commands.hscan(keys.online(shard), from, 'COUNT', limit));

  /** The first batch of as many shards as a page is likely to need, in one round trip. */
  function readAhead(
    shard: number,
    from: string,
    limit: number,
    counts: readonly number[],
  ): Promise<Batch[]> {
    let end = shard + 1;
    while (end < PRESENCE_SHARDS && sum(counts.slice(shard, end)) < limit) end += 1;
    const range = Array.from({ length: end - shard }, (_, index) => shard + index);
    return Promise.all(range.map((each, index) => scan(each, index === 0 ? from : '0', limit)));
  }

  const countShards = (): Promise<number[]> =>
    attempt(
      Promise.all(Array.from({ length: PRESENCE_SHARDS }, (_, shard) => commands.hlen(keys.online(shard)))),
    );

  return {
    async isOnline(username: string): Promise<boolean> {
      return (await attempt(commands.hexists(keys.online(keys.shardOf(username)), username))) === 1;
    },

    /**
     * One page, in no particular order. An account that stays online from the first page to the last is listed.
     * The cursor is `shard-scanCursor-skip`: HSCAN returns batches of any size, so a page may end inside a batch.
     * `sizes`: sizes of the shards, if they are known.
     */
    async list(
      limit: number,
      cursor: string | null,
      { signal, sizes }: { signal?: AbortSignal | undefined; sizes?: readonly number[] } = {},
    ): Promise<OnlinePart | undefined> {
      const position = /^(\d{1,2})-(\d{1,20})-(\d{1,6})$/.exec(cursor ?? '0-0-0');
      if (!position || BigInt(position[2]!) > MAX_SCAN_CURSOR) return undefined;
      const counts = sizes ?? (await countShards());
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

const sum = (counts: readonly number[]): number => counts.reduce((total, count) => total + count, 0);

function page(
  users: Map<string, OnlineRecord>,
  counts: readonly number[],
  nextCursor: string | null,
): OnlinePart {
  return { total: sum(counts), users: [...users.values()], nextCursor };
}
