/** Faults between a node and Redis. Nothing is lost on the way: it is late, or the connection ends. */
import { CALM, type Fault } from './fault.ts';
import { until } from './processes.ts';

/** A silent subscriber is noticed within this. */
const NOTICED_WITHIN_MS = 10_000;

export const NETWORK_FAULTS = {
  'reset-connections': {
    what: 'reset every connection to Redis',
    strike: async ({ nodes }) => {
      for (const { proxy } of nodes) proxy.reset('all');
    },
    pauseMs: [2_000, 2_000],
  },
  'drop-subscriber': {
    what: 'reset only what the nodes listen with',
    cost: { ...CALM, promptMs: 3_000 },
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
    what: 'answers of Redis come up to 1 s late, or a few bytes a millisecond; the subscriber is cut meanwhile',
    strike: async ({ nodes }, random, wait) => {
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
