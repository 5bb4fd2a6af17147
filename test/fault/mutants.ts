/**
 * The guards of Parley, each disabled in turn. A checker that never fails proves nothing: with a guard disabled it must find
 * a violation. A mutant is a copy of dist/ with some text replaced; the text must occur exactly once, so that a moved guard
 * is an error and not a run without a mutation. Production code has no switches.
 */
import { cpSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './processes.ts';

type Patch = [file: string, text: string, replacement: string];
export type Mutant = {
  guard: string;
  /** The fault that must reveal it; SLOW_READERS is the measurement. */
  fault: string;
  seconds: number;
  /** The rules that the guard protects: at least one of them must be violated. */
  expects: string[];
  patches: Patch[];
};

const PRESENCE = 'presence within 20 s';
const LOSS = ['in order', 'nothing lost', 'a loss is reported'];
const REPLAYED = "if stored then return { 'replayed', stored } end";

export const SLOW_READERS = 'measurement of slow readers';

export const MUTANTS: Mutant[] = [
  {
    guard: 'idempotency key: a retry is not stored twice',
    fault: 'lost-answers',
    seconds: 20,
    expects: ['stored once'],
    patches: [
      ['store/lua/broadcast-append.lua', REPLAYED, ''],
      ['store/lua/direct-append.lua', REPLAYED, ''],
    ],
  },
  {
    guard: 'the node does not resend commands itself',
    fault: 'lost-answers',
    seconds: 20,
    expects: ['stored once', 'no repeat within a stream'],
    patches: [
      [
        'store/redis/connections.js',
        'autoResendUnfulfilledCommands: false',
        'autoResendUnfulfilledCommands: true',
      ],
      ['store/redis/connections.js', 'maxRetriesPerRequest: 0', 'maxRetriesPerRequest: 20'],
    ],
  },
  {
    guard: 'entries received before are dropped',
    fault: 'tiny-buffer',
    seconds: 20,
    expects: ['no repeat within a stream'],
    patches: [
      ['streams/log-follower.js', 'if (entry.seq < at.seq)\n            return true;', ''],
      [
        'streams/log-follower.js',
        'if (entry.seq === at.seq)\n            return entry.mark === at.mark;\n        if (entry.seq !== at.seq + 1 || before !== at.mark)',
        'if (entry.seq > at.seq + 1)',
      ],
    ],
  },
  {
    guard: 'a hole in the log is read, not skipped',
    fault: 'slow-network',
    seconds: 40,
    expects: ['nothing lost'],
    patches: [
      [
        'streams/log-follower.js',
        'if (entry.seq !== at.seq + 1 || before !== at.mark)\n            return false;',
        '',
      ],
    ],
  },
  {
    guard: 'a notification names the entry before it',
    fault: 'kill-redis-everysec',
    seconds: 40,
    expects: LOSS,
    patches: [['streams/log-follower.js', ' || before !== at.mark', '']],
  },
  {
    guard: 'subscribe before reading',
    fault: 'none',
    seconds: 30,
    expects: ['delivered in time'],
    patches: [
      [
        'store/redis/pubsub.js',
        'await subscriber.ssubscribe(channel).catch(() => { });',
        'setTimeout(() => subscriber.ssubscribe(channel).catch(() => { }), 500);',
      ],
    ],
  },
  {
    guard: 'the log poller',
    fault: 'silent-subscriber',
    seconds: 30,
    expects: ['delivered in time'],
    patches: [['streams/log-poller.js', 'void check(nextBatch())', 'undefined']],
  },
  {
    guard: 'the probe of a silent subscription',
    fault: 'silent-subscriber',
    seconds: 30,
    expects: ['silence is detected within 10 s'],
    patches: [
      ['store/redis/pubsub.js', 'performance.now() - this.receivedAt > SILENT_AFTER_MS &&', 'false &&'],
    ],
  },
  {
    guard: 'missed entries are read after resubscribing',
    fault: 'drop-subscriber',
    seconds: 30,
    expects: ['delivered in time'],
    patches: [['store/redis/pubsub.js', 'onRestored();\n        }\n        catch', '}\n        catch']],
  },
  {
    guard: 'epoch, end and mark of a position are compared with the log',
    fault: 'old-snapshot',
    seconds: 40,
    expects: LOSS,
    patches: [['store/log/cursor.js', 'if (position.seq > 0) {', 'if (false) {']],
  },
  {
    guard: 'the mark alone',
    fault: 'kill-redis-everysec',
    seconds: 40,
    expects: LOSS,
    patches: [
      ['store/log/cursor.js', 'position.mark && entry', 'false && entry'],
      ['streams/log-follower.js', ' || before !== at.mark', ''],
      ['streams/log-follower.js', 'return entry.mark === at.mark;', 'return true;'],
    ],
  },
  {
    guard: 'an append compares the list of a log with its state',
    fault: 'lost-list',
    seconds: 20,
    expects: LOSS,
    patches: [['store/lua/lib/append.lua', 'if length ~= log.last - log.first + 1 then', 'if false then']],
  },
  {
    guard: 'a gap ends where the stream continues',
    fault: 'crash-in-a-flood',
    seconds: 60,
    expects: ['nothing lost'],
    patches: [
      ['streams/replay.js', 'await followers.broadcasts.refresh();', ''],
      ['streams/replay.js', 'to: this.at.broadcasts.seq || null', 'to: part.end.seq || null'],
    ],
  },
  {
    guard: 'dead nodes are evicted',
    fault: 'kill-node',
    seconds: 20,
    expects: [PRESENCE],
    patches: [['streams/evictor.js', 'if (dead.length === 0)', 'if (true)']],
  },
  {
    guard: 'the lease to evict nodes expires',
    fault: 'kill-node',
    seconds: 20,
    expects: [PRESENCE],
    patches: [['store/lua/lease-take.lua', "redis.call('PEXPIRE', KEYS[1], ARGV[2])", '']],
  },
  {
    guard: 'a node declared dead announces its accounts again',
    fault: 'stop-node-30',
    seconds: 34,
    expects: [PRESENCE],
    patches: [['streams/node-presence.js', 'if (!isKnown)', 'if (false)']],
  },
  {
    guard: 'a node takes a new id when Redis has lost changes of it',
    fault: 'old-snapshot',
    seconds: 20,
    expects: [PRESENCE],
    patches: [
      ['store/presence.js', 'if (isRecorded && hasAllChanges)', 'if (isRecorded)'],
      ['store/lua/presence-join.lua', 'if changes < tonumber(ARGV[5])', 'if false'],
      ['store/lua/presence-leave.lua', 'if changes < tonumber(ARGV[5])', 'if false'],
    ],
  },
  {
    guard: 'devices are notified of missed presence changes',
    fault: 'drop-subscriber',
    seconds: 30,
    expects: [PRESENCE],
    patches: [['streams/node-presence.js', 'this.#report({ resync: true });', '']],
  },
  {
    guard: 'nothing is written to a stream whose socket does not drain',
    fault: SLOW_READERS,
    seconds: 0,
    expects: ['memory with 50 of 200 readers stopped'],
    patches: [
      [
        'streams/backpressure.js',
        'if (queued > 0 && !this.#limits.queued.hasRoom(bytes))\n            return false;',
        '',
      ],
      [
        'streams/backpressure.js',
        'return queued + bytes <= this.#limits.maxBytes || (queued === 0 && messages <= 1);',
        'return true;',
      ],
    ],
  },
  {
    guard: 'the response timeout',
    fault: 'stop-redis',
    seconds: 30,
    expects: ['answered within 5 s'],
    patches: [
      ['http/answer-timeout.js', 'const ANSWER_WITHIN_MS = 4_500', 'const ANSWER_WITHIN_MS = 60_000'],
      ['store/redis/connections.js', 'const COMMAND_TIMEOUT_MS = 3_000', 'const COMMAND_TIMEOUT_MS = 60_000'],
    ],
  },
];

/** Returns the text of `file` with the patch applied; throws unless the guard occurs exactly once. */
export function patched(root: string, guard: string, [file, text, replacement]: Patch): string {
  const before = readFileSync(join(root, 'dist', file), 'utf8');
  const count = before.split(text).length - 1;
  if (count !== 1)
    throw new Error(`${guard}: the text occurs ${count} times in ${file}, expected once:\n${text}`);
  return before.replace(text, () => replacement);
}

/** Returns the path of the mutant's dist/. `root` is a built project. */
export function makeMutant(root: string, { guard, patches }: Mutant): string {
  const folder = temporaryFolder();
  for (const name of ['dist', 'package.json', 'openapi.yaml'])
    cpSync(join(root, name), join(folder, name), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  for (const patch of patches) writeFileSync(join(folder, 'dist', patch[0]), patched(folder, guard, patch));
  return join(folder, 'dist');
}
