/** Faults of Redis itself: it crashes, stops, loses data, or runs out of memory or disk space. */
import { createKeys } from '../../src/store/redis/keys.ts';
import type { Cost } from './checker.ts';
import { CALM, type Fault } from './fault.ts';
import { smallDisk } from './processes.ts';

/** Cost of a loss: gaps, and 404 for messages to an account that is gone. */
const LOST: Cost = { gaps: ['epoch', 'future', 'lost'], refusals: [404] };
/** The most that a crash under `everysec` loses in these runs. */
const UNSYNCED_MS = 1_000;
/** Redis replies late, so that the log is still shorter than what readers saw when they detect the loss, and keeps growing. */
const LATE_MS: [number, number] = [100, 400];
/** The precision of the file size samples. */
const SIZE_PRECISION_MS = 250;
const KILOBYTE = 1_024;

const crash: Fault['inject'] = async (world, random, wait) => {
  const lostMs = random.between(0, UNSYNCED_MS);
  const fromMs = world.now() - lostMs - SIZE_PRECISION_MS;
  await world.redis.kill();
  world.redis.forget(lostMs);
  world.losses.push({ fromMs, toMs: world.now() });
  await wait(random.between(100, 1_000));
  await world.redis.start();
};

export const REDIS_FAULTS = {
  'kill-redis-always': {
    what: 'SIGKILL Redis (appendfsync always) and restart it',
    inject: async (world, random, wait) => {
      await world.redis.kill();
      await wait(random.between(100, 2_000));
      await world.redis.start();
    },
    pauseMs: [4_000, 8_000],
  },
  'kill-redis-everysec': {
    what: 'SIGKILL Redis (everysec), cut up to 1 s off its file and restart it',
    fsync: 'everysec',
    cost: LOST,
    inject: crash,
    pauseMs: [4_000, 8_000],
    isAlone: true,
  },
  'crash-in-a-flood': {
    what: 'the same right after a flood and before another; after the restart Redis replies up to 0.4 s late',
    fsync: 'everysec',
    cost: LOST,
    inject: async (world, random, wait) => {
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
    inject: async ({ redis }, _, wait) => {
      redis.stop();
      await wait(10_000);
      redis.resume();
    },
    pauseMs: [5_000, 8_000],
  },
  'client-kill': {
    what: 'CLIENT KILL TYPE pubsub',
    cost: { ...CALM, promptMs: 3_000 },
    inject: async ({ redis }) => void (await redis.admin.call('CLIENT', 'KILL', 'TYPE', 'pubsub')),
    pauseMs: [500, 2_000],
  },
  flush: {
    what: 'FLUSHALL',
    cost: { ...LOST, ...CALM },
    inject: async ({ redis, losses, now, registerAgain }) => {
      await redis.admin.flushall();
      losses.push({ fromMs: 0, toMs: now() });
      await registerAgain();
    },
    pauseMs: [12_000, 18_000],
    isAlone: true,
  },
  'old-snapshot': {
    what: 'Redis restarts with data from several seconds ago',
    cost: LOST,
    inject: async ({ redis, losses, now, registerAgain }, random, wait) => {
      const fromMs = now();
      const copy = redis.copy();
      await wait(random.between(2_000, 8_000));
      await redis.kill();
      redis.restore(copy);
      losses.push({ fromMs, toMs: now() });
      await wait(random.between(100, 1_000));
      await redis.start();
      await registerAgain();
    },
    pauseMs: [6_000, 10_000],
    isAlone: true,
  },
  'lost-list': {
    what: 'DEL of the list of the broadcasts, whose state stays',
    cost: { ...CALM, gaps: ['epoch'], mayLoseFronts: true },
    inject: async ({ redis, losses, now }) => {
      await redis.admin.del(createKeys('parley:', '').everyone.list);
      losses.push({ fromMs: 0, toMs: now() });
    },
    pauseMs: [6_000, 8_000],
    isAlone: true,
  },
  'disk-full': {
    what: 'the disk of the append-only file fills up and Redis exits; space is freed and Redis restarted',
    folder: () => smallDisk(8),
    inject: async ({ redis, notes, flood }, _, wait) => {
      redis.fillDisk();
      const flooding = flood(20, KILOBYTE);
      await wait(3_000);
      redis.freeDisk();
      if (redis.isAlive()) notes.push({ rule: 'the fault takes effect', what: 'Redis did not exit' });
      else await redis.start();
      await flooding;
    },
    pauseMs: [6_000, 10_000],
    isAlone: true,
  },
  'memory-full': {
    what: 'Redis is at maxmemory (noeviction) for 4 s',
    inject: async ({ redis }, _, wait) => {
      await redis.rejectWrites(true);
      await wait(4_000);
      await redis.rejectWrites(false);
    },
    pauseMs: [3_000, 6_000],
  },
  'script-flush': {
    what: 'SCRIPT FLUSH',
    cost: { ...CALM, promptMs: 2_000 },
    inject: async ({ redis }) => void (await redis.admin.script('FLUSH')),
    pauseMs: [200, 1_000],
  },
  'tiny-buffer': {
    what: 'a slow subscription with an output buffer limit of 64 KB, during a flood',
    cost: CALM,
    inject: async ({ redis, nodes, flood }, random, wait) => {
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
