/** Checks after the fault: presence becomes correct and all resources are released. */
import { directChannel } from '../../src/store/channels.ts';
import { createKeys, type LogKeys } from '../../src/store/redis/keys.ts';
import type { Client } from './client.ts';
import type { History, Note } from './history.ts';
import { online } from './inspect.ts';
import type { Node } from './node.ts';
import { until } from './processes.ts';
import type { Reader } from './reader.ts';
import type { RedisServer } from './redis-server.ts';

/** Guaranteed time after any crash until presence is correct. */
const PRESENCE_WITHIN_MS = 20_000;
const SPARE_DESCRIPTORS = 40;
/** V8 does not return all memory it once allocated; a leak during a run is larger than this. */
const SPARE_MEGABYTES = 150;

/** Every node and every device that watches presence must show exactly the accounts with a stream as online. Readers in `leave` are closed first. */
export async function checkPresence(options: {
  readers: Reader[];
  client: Client;
  nodes: Node[];
  healedAtMs?: number;
  leave?: Reader[];
}): Promise<{ tookMs: number; notes: Note[] }> {
  const { client, nodes, readers, leave = [], healedAtMs = performance.now() } = options;
  for (const reader of leave) reader.close();
  const stay = readers.filter((reader) => !leave.includes(reader));
  const session = stay[0]!.session;
  const expected = [...new Set(stay.map(({ history }) => history.username))].sort().join();
  const remainingMs = Math.max(1_000, healedAtMs + PRESENCE_WITHIN_MS - performance.now());
  const beliefs = () => stay.flatMap(({ watch }) => (watch ? [watch.believed()] : []));
  const lists = async () => [
    ...(await Promise.all(nodes.map(({ url }) => online(client, session, url)))),
    ...beliefs(),
  ];
  const isCorrect = async () => (await lists()).every((list) => list?.join() === expected);
  const notes: Note[] = [];
  if (!(await until(isCorrect, remainingMs))) {
    const descriptions = (await lists()).map((list) => {
      if (!list) return 'no list';
      const missing = expected.split(',').filter((name) => !list.includes(name));
      const ghosts = list.filter((name) => !expected.split(',').includes(name));
      return `missing: ${missing.join(' ') || 'nobody'}, ghosts: ${ghosts.join(' ') || 'nobody'}`;
    });
    notes.push({ rule: 'presence within 20 s', what: `nodes, then devices: ${descriptions.join('; ')}` });
  }
  return { tookMs: performance.now() - healedAtMs, notes };
}

/** After all streams are closed, nodes and Redis must hold no more than the stored data requires. */
export async function checkResources(options: {
  readers: Reader[];
  nodes: Node[];
  redis: RedisServer;
  history: History;
  empty: { megabytes: number; descriptors: number }[];
}): Promise<Note[]> {
  const { readers, nodes, redis, history, empty } = options;
  for (const reader of readers) reader.close();
  const notes: Note[] = [];
  const excess = () =>
    nodes.flatMap((node, index) => {
      const { descriptors, megabytes } = node.resources();
      const before = empty[index]!;
      const messages = [];
      if (descriptors > before.descriptors + SPARE_DESCRIPTORS)
        messages.push(`${descriptors} descriptors, ${before.descriptors} before`);
      if (megabytes > before.megabytes + SPARE_MEGABYTES)
        messages.push(`${Math.round(megabytes)} MB, ${Math.round(before.megabytes)} before`);
      return messages;
    });
  let stray: string[] = [];
  const isClean = async () => {
    const keys = await redis.admin.keys('*');
    stray = [...strayKeys(keys, history), ...(await strayNodes(redis, keys, nodes.length))];
    return stray.length === 0 && excess().length === 0;
  };
  if (await until(isClean, PRESENCE_WITHIN_MS)) return notes;
  for (const what of excess()) notes.push({ rule: 'resources are released', what });
  for (const what of stray.slice(0, 5)) notes.push({ rule: 'no stray keys', what });
  return notes;
}

/** Every account has these, whether it has talked or not. */
const OF_ACCOUNT = /^parley:(\{...\}:(account|sessions|session:[\w-]+):|skeleton:)/;
const KEYS = createKeys('parley:', '');
const storedUnder = ({ list, hash }: LogKeys): string[] => [list, hash];

/** Keys that the stored data does not explain. With nobody online there must be no presence keys. */
function strayKeys(keys: string[], history: History): string[] {
  const { realm, skeletons, revoked, evictor, everyone } = KEYS;
  const explained = new Set([realm, skeletons, revoked, evictor, ...storedUnder(everyone)]);
  for (const { from, to } of [...history.stored.values()].flat()) {
    if (to === undefined) continue;
    for (const key of storedUnder(KEYS.direct(directChannel(from, to)))) explained.add(key);
    for (const inbox of [KEYS.inbox(from), KEYS.inbox(to)])
      for (const key of [...storedUnder(inbox), inbox.heavy]) explained.add(key);
  }
  return keys.filter((key) => !OF_ACCOUNT.test(key) && !NODES.test(key) && !explained.has(key));
}

/** Keys that list nodes: one for all, and one for each presence shard. */
const NODES = /^parley:(online:\{\d+\}:nodes|heartbeats)$/;

async function strayNodes(redis: RedisServer, keys: string[], nodes: number): Promise<string[]> {
  const sizes = keys
    .filter((key) => NODES.test(key))
    .map(async (key) => [key, await redis.admin.hlen(key)] as const);
  return (await Promise.all(sizes))
    .filter(([, size]) => size > nodes)
    .map(([key, size]) => `${key} lists ${size} nodes`);
}
