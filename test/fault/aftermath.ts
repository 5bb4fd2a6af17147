/** After the fault: presence becomes right, and what was used is given back. */
import type { Client } from './client.ts';
import { type History, logOf, type Note } from './history.ts';
import { online } from './inspect.ts';
import type { Node } from './node.ts';
import { until } from './processes.ts';
import type { Reader } from './reader.ts';
import type { RedisServer } from './redis-server.ts';

/** Presence is right within this after any crash. */
const PRESENCE_WITHIN_MS = 20_000;
const SPARE_DESCRIPTORS = 40;
/** V8 keeps what it once took; a leak of a run is more than this. */
const SPARE_MEGABYTES = 150;

/** On every node exactly those are online who listen, and whoever is told of presence believes so. `leave`: these readers go now. */
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
  const asking = stay[0]!.session;
  const wanted = [...new Set(stay.map(({ history }) => history.username))].sort().join();
  const leftMs = Math.max(1_000, healedAtMs + PRESENCE_WITHIN_MS - performance.now());
  const beliefs = () => stay.flatMap(({ watch }) => (watch ? [watch.believed()] : []));
  const lists = async () => [
    ...(await Promise.all(nodes.map(({ url }) => online(client, asking, url)))),
    ...beliefs(),
  ];
  const isRight = async () => (await lists()).every((list) => list?.join() === wanted);
  const notes: Note[] = [];
  if (!(await until(isRight, leftMs))) {
    const seen = (await lists()).map((list) => {
      if (!list) return 'no list';
      const missing = wanted.split(',').filter((name) => !list.includes(name));
      const ghosts = list.filter((name) => !wanted.split(',').includes(name));
      return `missing: ${missing.join(' ') || 'nobody'}, ghosts: ${ghosts.join(' ') || 'nobody'}`;
    });
    notes.push({ rule: 'presence within 20 s', what: `nodes, then devices: ${seen.join('; ')}` });
  }
  return { tookMs: performance.now() - healedAtMs, notes };
}

/** All streams are closed: nodes and Redis hold what they must, and nothing else. */
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
  const tooMany = () =>
    nodes.flatMap((node, index) => {
      const { descriptors, megabytes } = node.resources();
      const before = empty[index]!;
      const more = [];
      if (descriptors > before.descriptors + SPARE_DESCRIPTORS)
        more.push(`${descriptors} descriptors, ${before.descriptors} before`);
      if (megabytes > before.megabytes + SPARE_MEGABYTES)
        more.push(`${Math.round(megabytes)} MB, ${Math.round(before.megabytes)} before`);
      return more;
    });
  let stray: string[] = [];
  const isClean = async () => {
    stray = strayKeys(
      await redis.admin.keys('*'),
      history,
      nodes.length,
      await redis.admin.hlen('parley:nodes'),
    );
    return stray.length === 0 && tooMany().length === 0;
  };
  if (await until(isClean, PRESENCE_WITHIN_MS)) return notes;
  for (const what of tooMany()) notes.push({ rule: 'resources are given back', what });
  for (const what of stray.slice(0, 5)) notes.push({ rule: 'no stray keys', what });
  return notes;
}

/** Keys that nothing of what is stored explains. With nobody online there is no presence. */
function strayKeys(keys: string[], history: History, nodes: number, known: number): string[] {
  const logs = new Set<string>();
  const talkers = new Set<string>();
  for (const entries of history.stored.values()) {
    for (const entry of entries) {
      logs.add(logOf(entry));
      if (entry.to !== undefined) talkers.add(entry.from).add(entry.to);
    }
  }
  const isExplained = (key: string): boolean => {
    const [, base = '', who = ''] = /^parley:(\w+|\{broadcasts\}):?(?:\{([^}]+)\})?/.exec(key) ?? [];
    if (base === 'conversation') return logs.has(who);
    if (base === 'inbox' || base === 'conversations') return talkers.has(who);
    const ofAccounts = ['account', 'session', 'sessions', 'skeleton', 'skeletons'];
    return [...ofAccounts, '{broadcasts}', 'revoked', 'nodes'].includes(base);
  };
  const stray = keys.filter((key) => !isExplained(key));
  if (known > nodes) stray.push(`parley:nodes knows ${known} nodes`);
  return stray;
}
