/** Finds the keys of releases before the data version. */
import type { Redis } from 'ioredis';
import { earlierKeys, parseEarlierKey } from './earlier-form.ts';

const KEYS_PER_SCAN = 1_000;

type Database = { redis: Redis; prefix: string };

/** Calls `work` for each key of a kind in the earlier form. */
export async function forEachKey(
  migration: Database,
  kind: string,
  work: (key: { name: string; rest: string; key: string }) => Promise<unknown>,
): Promise<void> {
  await forEachMatch(migration, `${kind}:{*`, async (key) => {
    const parsed = parseEarlierKey(key.slice(migration.prefix.length));
    if (parsed?.kind === kind) await work({ ...parsed, key });
  });
}

export async function forEachMatch(
  { redis, prefix }: Database,
  pattern: string,
  work: (key: string) => Promise<unknown>,
): Promise<void> {
  const match = prefix.replace(/[*?[\]^\\-]/g, '\\$&') + pattern;
  let cursor = '0';
  do {
    const [next, found] = await redis.scan(cursor, 'MATCH', match, 'COUNT', KEYS_PER_SCAN);
    for (const key of found) await work(key);
    cursor = next;
  } while (cursor !== '0');
}

/** Whether there is anything in the earlier form, even if it has lost the heartbeats of its nodes. */
export async function isEarlierForm(database: Database): Promise<boolean> {
  const { redis, prefix } = database;
  const { nodes, broadcasts } = earlierKeys(prefix);
  if ((await redis.exists(nodes, broadcasts.meta)) > 0) return true;
  let isFound = false;
  await forEachMatch(database, '*:{*', async (key) => {
    isFound ||= parseEarlierKey(key.slice(prefix.length)) !== undefined;
  });
  return isFound;
}
