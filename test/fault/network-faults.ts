/** Faults between a node and Redis. No bytes are lost: they arrive late, or the connection ends. */
import { CALM, type Fault } from './fault.ts';
import { until } from './processes.ts';

/** Guaranteed time until a node detects a silent subscription. */
const DETECTED_WITHIN_MS = 10_000;

export const NETWORK_FAULTS = {
  'reset-connections': {
    what: 'reset every connection to Redis',
    inject: async ({ nodes }) => {
      for (const { proxy } of nodes) proxy.reset('all');
    },
    pauseMs: [2_000, 2_000],
  },
  'drop-subscriber': {
    what: 'reset the subscription connection of one node',
    cost: { ...CALM, promptMs: 3_000 },
    inject: async ({ nodes }, random) => random.pick(nodes).proxy.reset('subscriber'),
    pauseMs: [500, 2_000],
  },
  'silent-subscriber': {
    what: 'a subscription stays connected but receives nothing',
    cost: { promptMs: 6_500 },
    inject: async ({ nodes, notes }, random) => {
      const { proxy } = random.pick(nodes);
      const before = proxy.subscriberCount();
      proxy.silenceSubscribers();
      if (!(await until(() => proxy.subscriberCount() > before, DETECTED_WITHIN_MS)))
        notes.push({
          rule: 'silence is detected within 10 s',
          what: 'the subscription connection was not replaced',
        });
    },
    pauseMs: [2_000, 5_000],
  },
  'frozen-network': {
    what: 'no traffic passes between a node and Redis for 1 to 12 s; connections stay open',
    inject: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      proxy.freeze(true);
      await wait(random.between(1_000, 12_000));
      proxy.freeze(false);
    },
    pauseMs: [1_000, 4_000],
  },
  'lost-answers': {
    what: 'Redis receives commands but its replies are lost for 1 to 8 s; then all connections are reset',
    inject: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      proxy.hang(true);
      await wait(random.between(1_000, 8_000));
      proxy.reset('all');
      proxy.hang(false);
    },
    pauseMs: [1_000, 4_000],
  },
  'slow-network': {
    what: 'replies from Redis arrive up to 1 s late or at a few bytes per millisecond; the subscription is reset meanwhile',
    inject: async ({ nodes }, random, wait) => {
      const { proxy } = random.pick(nodes);
      if (random.share() < 0.5) proxy.delay(random.between(50, 1_000));
      else proxy.drip(random.between(16, 256));
      await wait(random.between(500, 2_000));
      proxy.reset('subscriber');
      await wait(random.between(2_000, 4_000));
      proxy.delay(0);
      proxy.drip(0);
    },
    pauseMs: [500, 2_000],
  },
} satisfies Record<string, Fault>;
