/**
 * Converts the data of releases that had no data version, once, before a node of this release serves anybody. Each log is
 * replaced by one script, so another node can go on where one has died, and two at the same time do no harm. Needs one Redis
 * server.
 */
import type { Redis } from 'ioredis';
import { EVERYONE } from '../channels.ts';
import type { InboxLimits } from '../inboxes.ts';
import type { Store, StoreLog } from '../redis/client.ts';
import type { LogKeys } from '../redis/keys.ts';
import { InboxCount } from './convert-inbox.ts';
import { type Converted, convertEntry, convertInboxEntry, earlierKeys, markOfId } from './earlier-form.ts';
import { forEachKey, forEachMatch } from './scan.ts';

/** A claim that is not renewed for this long expires; a node of an earlier release without a heartbeat has stopped. */
const SILENCE_MS = 15_000;
const ENTRIES_PER_CALL = 500;
const RECORDS_PER_CALL = 200;
const BEGUN = /^\{[^}]*\}.*:migration:[^:{}]+$/;

/** `claimant`: this node. */
export type MigrationOptions = {
  store: Store;
  prefix: string;
  limits: InboxLimits;
  claimant: string;
  log: StoreLog;
};
type Migration = {
  store: Store;
  redis: Redis;
  prefix: string;
  earlier: ReturnType<typeof earlierKeys>;
  limits: InboxLimits;
  /** Bytes stored per account, while the inboxes are not converted yet. */
  storedKey: string;
  /** Of this node's temporary keys: another node may be converting the same log. */
  suffix: string;
};

/** Throws an error of one sentence if the data cannot be converted now. */
export async function migrate(options: MigrationOptions): Promise<void> {
  const { store, prefix, limits, claimant, log } = options;
  const redis = store.commands;
  const earlier = earlierKeys(prefix);
  const migration = {
    ...{ store, redis, prefix, earlier, limits },
    ...{ storedKey: `${prefix}migration:stored`, suffix: `:migration:${claimant}` },
  };
  await claim(store, earlier.nodes, claimant);
  const timer = setInterval(() => void claim(store, earlier.nodes, claimant).catch(() => {}), SILENCE_MS / 5);
  try {
    log.info('converting the data of an earlier release; this happens once');
    await convertLog(migration, earlier.broadcasts, store.keys.everyone, EVERYONE);
    await forEachKey(migration, 'conversation', async ({ name }) => {
      const channel = `dm:${name}`;
      await convertLog(migration, earlier.conversation(name), store.keys.direct(channel), channel);
    });
    await forEachKey(migration, 'inbox', ({ name }) => convertInbox(migration, name));
    await moveTheRest(migration);
    log.info('the data is converted');
  } finally {
    clearInterval(timer);
  }
}

async function claim({ run, keys }: Store, nodes: string, claimant: string): Promise<void> {
  const outcome = await run('migration-claim', [keys.realm, nodes], [claimant, SILENCE_MS]);
  if (outcome === 'running')
    throw new Error(
      'Redis holds the data of an earlier release of Parley, and a node of that release still runs. Stop every node, wait 15 seconds, and start this one again to convert the data.',
    );
  if (outcome === 'busy')
    throw new Error(
      'Another node is converting the data of an earlier release of Parley. Start this one again when it has finished.',
    );
}

/** Convert a list into another. Returns all converted entries. */
async function convertList(
  redis: Redis,
  from: string,
  to: string,
  convert: (raw: string) => Converted,
): Promise<Converted[]> {
  const all: Converted[] = [];
  await redis.del(to);
  for (let at = 0; ; at += ENTRIES_PER_CALL) {
    const entries = (await redis.lrange(from, at, at + ENTRIES_PER_CALL - 1)).map(convert);
    if (entries.length === 0) return all;
    await redis.rpush(to, ...entries.map(({ line }) => line));
    all.push(...entries);
  }
}

async function convertLog(
  { store, redis, storedKey, suffix }: Migration,
  from: { list: string; meta: string; keys: string },
  to: LogKeys,
  channel: string,
): Promise<void> {
  const meta = await redis.hgetall(from.meta);
  if (meta['epoch'] === undefined) return;
  const converted = to.list + suffix;
  const entries = await convertList(redis, from.list, converted, convertEntry);
  const [stored, newest] = [new Map<string, number>(), entries.at(-1)];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.line);
    bytes += size;
    if (channel !== EVERYONE) stored.set(entry.from, (stored.get(entry.from) ?? 0) + size);
  }
  const last = Number(meta['last'] ?? 0);
  await store.run(
    'migration-log',
    [converted, to.list, to.hash, from.list, from.meta, from.keys, storedKey],
    [
      meta['epoch'],
      newest ? markOfId(newest.id) : '-',
      last - entries.length + 1,
      last,
      bytes,
      ...[...stored].flat(),
    ],
  );
}

async function convertInbox(migration: Migration, username: string): Promise<void> {
  const { store, redis, earlier, storedKey, limits, suffix } = migration;
  const from = earlier.inbox(username);
  const to = store.keys.inbox(username);
  const [list, hash] = [to.list + suffix, to.hash + suffix];
  const [listed, friends, stored, counters] = await Promise.all([
    redis.hgetall(from.conversations),
    redis.hkeys(from.friends),
    redis.hget(storedKey, username),
    store.run('migration-counters', [from.meta]),
  ]);
  const [epoch, , last, acked, received, read, dropped] = counters;
  if (epoch === '') return; // converted by an earlier call
  const first = last - (await redis.llen(from.list)) + 1;
  const others = new Map(
    Object.entries(listed).flatMap(([other, value]) =>
      other === '#' ? [] : [[other, Number.parseInt(value, 10)] as const],
    ),
  );
  const count = new InboxCount(
    username,
    { epoch, first, last, acked, received, read, dropped },
    others,
    friends,
  );
  for (const entry of await convertList(redis, from.list, list, convertInboxEntry)) count.add(entry);
  const records = count.records(limits);
  await redis.del(hash);
  await writeRecords(migration, hash, records);
  const newest = records[0]?.channel ?? '-';
  const heavy = records.filter(({ isHeavy }) => isHeavy).map(({ channel }) => channel);
  await store.run(
    'migration-inbox',
    [list, to.list, hash, to.hash, to.heavy, from.meta, ...from.all],
    [JSON.stringify({ ...count.state(Number(stored ?? 0)), newest }), ...heavy],
  );
}

/** The inbox has each channel up to its end. */
async function writeRecords(
  { store }: Migration,
  hash: string,
  records: ReturnType<InboxCount['records']>,
): Promise<void> {
  for (let at = 0; at < records.length; at += RECORDS_PER_CALL) {
    const part = records.slice(at, at + RECORDS_PER_CALL);
    const flat = await store.run(
      'log-positions',
      part.map(({ channel }) => store.keys.direct(channel).hash),
    );
    const args = part.flatMap((record, i) => [
      ...[
        record.channel,
        record.at,
        records[at + i - 1]?.channel ?? '-',
        records[at + i + 1]?.channel ?? '-',
      ],
      ...[flat[3 * i + 1]!, flat[3 * i + 2] || '-', record.unread, record.bytes, record.from, record.last],
      ...[record.isFriend ? 1 : 0, record.isHeavy ? 1 : 0],
    ]);
    await store.run('migration-records', [hash], args);
  }
}

/** Accounts and sessions are moved; presence and short-lived counters start from scratch. */
async function moveTheRest(migration: Migration): Promise<void> {
  const { store, redis, storedKey } = migration;
  const { keys } = store;
  // It may have expired, or SCAN may have returned it twice.
  const rename = (key: string, to: string) =>
    redis.renamenx(key, to).catch((error) => {
      if (!String(error).includes('no such key')) throw error;
    });
  await forEachKey(migration, 'session', ({ key, name, rest }) => rename(key, keys.session(name, rest)));
  await forEachKey(migration, 'sessions', ({ key, name }) => rename(key, keys.sessions(name)));
  await forEachKey(migration, 'account', ({ key, name }) => rename(key, keys.account(name)));
  await forEachKey(migration, 'limit:send', ({ key }) => redis.del(key));
  await forEachKey(migration, 'online', ({ key }) => redis.del(key));
  await redis.del(storedKey);
  // What nodes that died had begun.
  await forEachMatch(migration, '{*:migration:*', async (key) => {
    if (BEGUN.test(key.slice(migration.prefix.length))) await redis.del(key);
  });
}
