/**
 * The Lua scripts. The header of each file is its contract: what it does, KEYS, ARGV, replies. `-- use: a b` names
 * fragments of lua/lib that are prepended to it. Lua never builds a key.
 *
 * Scripts run by SHA, and are sent in full only when Redis does not know them. SCRIPT FLUSH, a restart or a failover
 * therefore cost one round trip and no error. (The script support of ioredis assumes for a minute that Redis still has
 * them.)
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Redis } from 'ioredis';

/** The replies documented in each script's header. */
export type ScriptReplies = {
  'realm-open': string;
  'migration-claim': 'claimed' | 'busy' | 'running';
  'migration-log': 'moved' | 'gone';
  'migration-counters': [
    epoch: string,
    ...[first: number, last: number, acked: number, received: number, read: number, dropped: number],
  ];
  'migration-records': 'written';
  'migration-inbox': 'moved' | 'gone';
  'broadcast-append': ['appended', number] | ['replayed', string] | ['limited', number];
  'direct-append':
    | ['appended', number]
    | ['replayed', string]
    | ['limited', number]
    | ['unknown']
    | ['mailbox_full']
    | ['quota_exceeded']
    | ['again'];
  'log-read': [
    state: [] | [epoch: string, mark: string, first: number, last: number, ...rest: (number | string)[]],
    start: number,
    entries: string[],
  ];
  'inbox-read':
    | [
        'read',
        ...[first: number, acked: number, unread: number, overflowed: 0 | 1],
        ...[scannedTo: number, hasMore: 0 | 1, entries: string[], evictedFrom: number, evictedTo: number],
      ]
    | ['unknown'];
  'log-positions': (string | number)[];
  'channels-page': [stop: string, hasOlder: 0 | 1, page: (string | number)[]];
  'log-newest': string[];
  'log-touch': 'touched' | 'unknown';
  'inbox-ack': ['acked' | 'more', number] | ['unknown'];
  'account-create': 'created' | 'taken';
  'skeleton-reserve': ['reserved'] | ['alike', holder: string];
  'account-update': 'set' | 'unknown';
  'password-rehash': 'set' | 'changed';
  'account-names': string[];
  'session-end': string;
  'session-revoke': 'revoked' | 'known';
  'session-forget': 'forgotten';
  'session-refresh': ['refreshed'] | ['ended', endedUntil: string] | ['unknown'];
  'ticket-redeem': [username: string, sid: string, expiresAtMs: string] | [];
  'bucket-take': number;
  'bucket-settle': 'settled';
  'session-open': ['opened', ...sids: string[]] | ['unknown'];
  'presence-join': ['online' | 'unchanged' | 'unknown', changes: number, size: number];
  'presence-leave': ['offline' | 'unchanged' | 'unknown', changes: number, size: number];
  'presence-find-dead': [nextCursor: string, gone: string[], elsewhere: string[]];
  'presence-evict': number;
  'node-heartbeat': [now: number, isRecorded: 0 | 1];
  'nodes-mark-dead': string[];
  'lease-take': 0 | 1;
};
export type ScriptName = keyof ScriptReplies;

const folder = new URL('../lua/', import.meta.url);
const read = (name: string) => readFileSync(new URL(`${name}.lua`, folder), 'utf8');

function load(name: string): { sha: string; source: string } {
  const body = read(name);
  const fragments = /^-- use: (.+)$/m.exec(body)?.[1]?.split(' ') ?? [];
  const source = [...fragments.map((fragment) => read(`lib/${fragment}`)), body].join('\n');
  return { sha: createHash('sha1').update(source).digest('hex'), source };
}

// Read at startup: an upgrade may replace the folder under a running node, and file descriptors may run out.
const scripts = new Map(
  readdirSync(folder)
    .filter((file) => file.endsWith('.lua'))
    .map((file) => file.slice(0, -'.lua'.length))
    .map((name) => [name, load(name)]),
);

/** Run a script. The cast is sound: ScriptReplies repeats the headers, and test/integration/store checks the scripts against it. */
export async function runScript<Name extends ScriptName>(
  redis: Redis,
  name: Name,
  keys: string[],
  args: (string | number)[],
): Promise<ScriptReplies[Name]> {
  const script = scripts.get(name)!; // each name has a file: test/unit/architecture.test.ts
  try {
    return (await redis.evalsha(script.sha, keys.length, ...keys, ...args)) as ScriptReplies[Name];
  } catch (error) {
    if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
    return (await redis.eval(script.source, keys.length, ...keys, ...args)) as ScriptReplies[Name];
  }
}
