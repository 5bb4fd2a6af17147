/**
 * The faults: what each does to the world until it is told to stop, and what it may cost at most. Each acts again and
 * again, at moments that come from the seed. Whatever is left broken at the end is mended by `heal`.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Cost } from './checker.ts';
import { smallDisk, until } from './processes.ts';
import type { Random } from './random.ts';
import type { Fsync } from './redis-server.ts';
import type { World } from './world.ts';

export type Fault = {
  what: string;
  /** `always` unless said otherwise. */
  fsync?: Fsync;
  /** Redis' data must be here; throws where the machine does not allow it. */
  folder?: () => string;
  env?: NodeJS.ProcessEnv;
  /** Beside this nothing may be missing, and no gap be told. */
  cost?: Cost;
  /** One blow: it strikes, and is over when this resolves. */
  strike: (world: World, random: Random, wait: (ms: number) => Promise<void>) => Promise<void>;
  /** Ms between two blows. */
  pauseMs: [low: number, high: number];
  /** Not part of `mixed`: it may cost something, or needs a world of its own. */
  isAlone?: true;
};

/** What Redis says to writes when it cannot, and what a lost account makes of a direct message. */
const LOST: Cost = { gaps: ['epoch', 'future', 'lost'], refusals: [404] };
/** What a crash under `everysec` takes away here. */
const UNSYNCED_MS = 1_000;
/** A silent subscriber is noticed within this. */
const NOTICED_WITHIN_MS = 10_000;
/** How exactly the size of the file is known for a moment. */
const SIZE_KNOWN_MS = 250;
const SHIFTED_CLOCK = fileURLToPath(new URL('shifted-clock.mjs', import.meta.url));
const HOUR_MS = 3_600_000;
const KILOBYTE = 1_024;

async function killRedis({ redis }: World, random: Random, wait: (ms: number) => Promise<void>) {
  await redis.kill();
  await wait(random.between(100, 2_000));
}

export const FAULTS = {
  none: {
    what: 'nothing at all',
    cost: { promptMs: 2_000 },
    strike: async (_, __, wait) => wait(1_000),
    pauseMs: [0, 0],
    isAlone: true,
  },
  'kill-node': {
    what: 'SIGKILL a node, start it again',
    strike: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      await node.finish('SIGKILL');
      await wait(random.between(500, 3_000));
      await node.start();
    },
    pauseMs: [4_000, 8_000],
  },
  'rolling-restart': {
    what: 'SIGTERM one node after the other, start each again',
    strike: async ({ nodes }, _, wait) => {
      for (const node of nodes) {
        await node.finish('SIGTERM');
        await node.start();
        await wait(1_000);
      }
    },
    pauseMs: [2_000, 4_000],
  },
  'stop-node-5': {
    what: 'SIGSTOP a node for 5 s',
    strike: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      node.stop();
      await wait(5_000);
      node.goOn();
    },
    pauseMs: [1_000, 3_000],
  },
  'stop-node-30': {
    what: 'SIGSTOP a node for 30 s: the others declare it dead',
    strike: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      node.stop();
      await wait(30_000);
      node.goOn();
    },
    pauseMs: [4_000, 6_000],
    isAlone: true,
  },
  'kill-redis-always': {
    what: 'SIGKILL Redis (appendfsync always), start it again',
    strike: async (world, random, wait) => {
      await killRedis(world, random, wait);
      await world.redis.start();
    },
    pauseMs: [4_000, 8_000],
  },
  'kill-redis-everysec': {
    what: 'SIGKILL Redis (everysec), cut up to 1 s off its file, start it again',
    fsync: 'everysec',
    cost: LOST,
    strike: async (world, random, wait) => {
      const lostMs = random.between(0, UNSYNCED_MS);
      const fromMs = world.now() - lostMs - SIZE_KNOWN_MS;
      await world.redis.kill();
      world.redis.forget(lostMs);
      world.losses.push({ fromMs, toMs: world.now() });
      await wait(random.between(100, 1_000));
      await world.redis.start();
    },
    pauseMs: [4_000, 8_000],
    isAlone: true,
  },
  'stop-redis': {
    what: 'SIGSTOP Redis for 10 s',
    strike: async ({ redis }, _, wait) => {
      redis.signal('SIGSTOP');
      await wait(10_000);
      redis.signal('SIGCONT');
    },
    pauseMs: [5_000, 8_000],
  },
  'reset-connections': {
    what: 'reset every connection to Redis',
    strike: async ({ nodes }) => {
      for (const { proxy } of nodes) proxy.reset('all');
    },
    pauseMs: [2_000, 2_000],
  },
  'drop-subscriber': {
    what: 'reset only what the nodes listen with',
    cost: { promptMs: 3_000 },
    strike: async ({ nodes }, random) => random.pick(nodes).proxy.reset('subscriber'),
    pauseMs: [500, 2_000],
  },
  'silent-subscriber': {
    what: 'a subscriber stays connected and hears nothing',
    cost: { promptMs: 6_500 },
    strike: async ({ nodes, notes }, random) => {
      const { proxy } = random.pick(nodes);
      const before = proxy.subscriberCount();
      proxy.silenceSubscribers();
      if (!(await until(() => proxy.subscriberCount() > before, NOTICED_WITHIN_MS)))
        notes.push({ rule: 'silence is noticed within 10 s', what: 'the subscriber was not made anew' });
    },
    pauseMs: [2_000, 5_000],
  },
  'client-kill': {
    what: 'CLIENT KILL TYPE pubsub',
    cost: { promptMs: 3_000 },
    strike: async ({ redis }) => void (await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
    pauseMs: [500, 2_000],
  },
  'tiny-buffer': {
    what: 'slow subscribers, an output buffer of 64 KB for them, and a flood',
    strike: async ({ redis, nodes, flood }, random, wait) => {
      const slow = random.pick(nodes).proxy;
      const limit = (bytes: number) =>
        redis.admin.config('SET', 'client-output-buffer-limit', `pubsub ${bytes} ${bytes} 1`);
      await limit(64 * KILOBYTE);
      slow.drip(64, 'subscriber');
      await flood(150, 3 * KILOBYTE);
      await wait(3_000);
      slow.drip(0);
      await limit(32 * KILOBYTE * KILOBYTE);
    },
    pauseMs: [6_000, 8_000],
  },
  flush: {
    what: 'FLUSHALL',
    cost: LOST,
    strike: async ({ redis, losses, now, settleAgain }) => {
      await redis.admin.flushall();
      losses.push({ fromMs: 0, toMs: now() });
      await settleAgain();
    },
    pauseMs: [12_000, 18_000],
    isAlone: true,
  },
  'old-snapshot': {
    what: 'Redis comes back as it was some seconds ago',
    cost: LOST,
    strike: async ({ redis, losses, now, settleAgain }, random, wait) => {
      const fromMs = now();
      const copy = redis.copy();
      await wait(random.between(2_000, 8_000));
      await redis.kill();
      redis.becomeCopy(copy);
      losses.push({ fromMs, toMs: now() });
      await wait(random.between(100, 1_000));
      await redis.start();
      await settleAgain();
    },
    pauseMs: [6_000, 10_000],
    isAlone: true,
  },
  'disk-full': {
    what: 'the disk of the append-only file is full: Redis ends; there is room again, it is started',
    folder: () => smallDisk(8),
    strike: async ({ redis, flood }, _, wait) => {
      redis.fillDisk();
      const flooding = flood(20, KILOBYTE);
      await wait(3_000);
      redis.makeRoom();
      if (!redis.isAlive()) await redis.start();
      await flooding;
    },
    pauseMs: [6_000, 10_000],
    isAlone: true,
  },
  'memory-full': {
    what: 'maxmemory is reached (noeviction) for 4 s',
    strike: async ({ redis }, _, wait) => {
      await redis.admin.config('SET', 'maxmemory-policy', 'noeviction');
      await redis.admin.config('SET', 'maxmemory', '1mb');
      await wait(4_000);
      await redis.admin.config('SET', 'maxmemory', '0');
    },
    pauseMs: [3_000, 6_000],
  },
  'slow-readers': {
    what: 'a quarter of the readers take nothing for 8 s, and there is a flood',
    strike: async ({ readers, flood }, random, wait) => {
      for (const reader of random.some(readers, readers.length / 4)) reader.pause(8_000);
      await flood(200, 3 * KILOBYTE);
      await wait(8_000);
    },
    pauseMs: [2_000, 4_000],
  },
  'half-open': {
    what: 'readers go away without a word, and come back by another connection',
    strike: async ({ readers }, random) => {
      for (const reader of random.some(readers, readers.length / 5)) reader.abandon();
    },
    pauseMs: [2_000, 4_000],
  },
  'script-flush': {
    what: 'SCRIPT FLUSH',
    cost: { promptMs: 2_000 },
    strike: async ({ redis }) => void (await redis.admin.script('FLUSH')),
    pauseMs: [200, 1_000],
  },
  'wrong-clock': {
    what: 'a node is started again with a clock that is an hour off',
    strike: async ({ nodes }, random) => {
      const node = random.pick(nodes);
      await node.finish('SIGTERM');
      const shift = random.pick([-HOUR_MS, HOUR_MS]);
      await node.start({ NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, CLOCK_SHIFT_MS: String(shift) });
    },
    pauseMs: [5_000, 9_000],
  },
  'frozen-network': {
    what: 'nothing passes between a node and Redis for 1 to 12 s; nothing is cut',
    strike: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      proxy.freeze(true);
      await wait(random.between(1_000, 12_000));
      proxy.freeze(false);
    },
    pauseMs: [1_000, 4_000],
  },
  'lost-answers': {
    what: 'Redis hears a node, and its answers do not come, for 1 to 8 s; then all is cut',
    strike: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      proxy.hang(true);
      await wait(random.between(1_000, 8_000));
      proxy.reset('all');
      proxy.hang(false);
    },
    pauseMs: [1_000, 4_000],
  },
  'slow-network': {
    what: 'answers of Redis come up to 1 s late, or a few bytes a millisecond',
    strike: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      if (random.share() < 0.5) proxy.delay(random.between(50, 1_000));
      else proxy.drip(random.between(16, 256));
      await wait(random.between(2_000, 6_000));
      proxy.delay(0);
      proxy.drip(0);
    },
    pauseMs: [500, 2_000],
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS | 'mixed';

/** All that may cost nothing, two at a time. */
const MIXED: Fault = {
  what: 'all of these that may cost nothing, one after the other and two at once',
  strike: async (world, random, wait) => {
    const harmless = Object.values<Fault>(FAULTS).filter((fault) => !fault.isAlone);
    const chosen = random.some(harmless, random.between(1, 2));
    await Promise.all(chosen.map((fault) => fault.strike(world, random, wait)));
  },
  pauseMs: [500, 3_000],
};

export const faultOf = (name: string): Fault | undefined =>
  name === 'mixed' ? MIXED : (FAULTS as Record<string, Fault>)[name];
export const FAULT_NAMES: string[] = [...Object.keys(FAULTS), 'mixed'];

/** Strikes until the time is over. A blow that has begun is carried through, but its waits are cut short. */
export async function act(fault: Fault, world: World, random: Random, signal: AbortSignal): Promise<number> {
  const wait = (ms: number) => sleep(ms, undefined, { signal }).catch(() => {});
  let blows = 0;
  for (;;) {
    await wait(random.between(...fault.pauseMs));
    if (signal.aborted) return blows;
    await fault.strike(world, random, wait);
    blows += 1;
  }
}
