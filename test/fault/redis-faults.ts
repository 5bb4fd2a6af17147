/** Faults of Redis itself: it dies, stops, forgets, or has no room. */
import type { Cost } from './checker.ts';
import { CALM, type Fault } from './fault.ts';
import { smallDisk } from './processes.ts';

/** What a loss may bring, and what becomes of a message to an account that is gone. */
const LOST: Cost = { gaps: ['epoch', 'future', 'lost'], refusals: [404] };
/** What a crash under `everysec` takes away here. */
const UNSYNCED_MS = 1_000;
/** So much is lost that the log is still shorter than what was seen, while readers find out, and it goes on growing. */
const LATE_MS: [number, number] = [100, 400];
/** How exactly the size of the file is known for a moment. */
const SIZE_KNOWN_MS = 250;
const KILOBYTE = 1_024;

const crash: Fault['strike'] = async (world, random, wait) => {
  const lostMs = random.between(0, UNSYNCED_MS);
  const fromMs = world.now() - lostMs - SIZE_KNOWN_MS;
  await world.redis.kill();
  world.redis.forget(lostMs);
  world.losses.push({ fromMs, toMs: world.now() });
  await wait(random.between(100, 1_000));
  await world.redis.start();
};

export const REDIS_FAULTS = {
  'kill-redis-always': {
    what: 'SIGKILL Redis (appendfsync always), start it again',
    strike: async (world, random, wait) => {
      await world.redis.kill();
      await wait(random.between(100, 2_000));
      await world.redis.start();
    },
    pauseMs: [4_000, 8_000],
  },
  'kill-redis-everysec': {
    what: 'SIGKILL Redis (everysec), cut up to 1 s off its file, start it again',
    fsync: 'everysec',
    cost: LOST,
    strike: crash,
    pauseMs: [4_000, 8_000],
    isAlone: true,
  },
  'crash-in-a-flood': {
    what: 'the same right after a flood, and before another; Redis, back, answers up to 0.4 s late',
    fsync: 'everysec',
    cost: LOST,
    strike: async (world, random, wait) => {
      await world.flood(400, KILOBYTE);
      for (const { proxy } of world.nodes) proxy.delay(random.between(...LATE_MS), 'commands');
      await crash(world, random, wait);
      await world.flood(60, KILOBYTE);
      for (const { proxy } of world.nodes) proxy.delay(0);
    },
    pauseMs: [1_000, 2_000],
    isAlone: true,
  },
  'stop-redis': {
    what: 'SIGSTOP Redis for 10 s',
    strike: async ({ redis }, _, wait) => {
      redis.stop();
      await wait(10_000);
      redis.goOn();
    },
    pauseMs: [5_000, 8_000],
  },
  'client-kill': {
    what: 'CLIENT KILL TYPE pubsub',
    cost: { ...CALM, promptMs: 3_000 },
    strike: async ({ redis }) => void (await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
    pauseMs: [500, 2_000],
  },
  flush: {
    what: 'FLUSHALL',
    cost: { ...LOST, ...CALM },
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
    strike: async ({ redis, notes, flood }, _, wait) => {
      redis.fillDisk();
      const flooding = flood(20, KILOBYTE);
      await wait(3_000);
      redis.makeRoom();
      if (redis.isAlive()) notes.push({ rule: 'the fault acts', what: 'Redis did not end' });
      else await redis.start();
      await flooding;
    },
    pauseMs: [6_000, 10_000],
    isAlone: true,
  },
  'memory-full': {
    what: 'maxmemory is reached (noeviction) for 4 s',
    strike: async ({ redis }, _, wait) => {
      await redis.refuseWrites(true);
      await wait(4_000);
      await redis.refuseWrites(false);
    },
    pauseMs: [3_000, 6_000],
  },
  'script-flush': {
    what: 'SCRIPT FLUSH',
    cost: { ...CALM, promptMs: 2_000 },
    strike: async ({ redis }) => void (await redis.admin.script('FLUSH')),
    pauseMs: [200, 1_000],
  },
  'tiny-buffer': {
    what: 'slow subscribers, an output buffer of 64 KB for them, and a flood',
    cost: CALM,
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
} satisfies Record<string, Fault>;
