/** Faults of nodes and of their readers. */
import { fileURLToPath } from 'node:url';
import { CALM, type Fault } from './fault.ts';

const SHIFTED_CLOCK = fileURLToPath(new URL('shifted-clock.mjs', import.meta.url));
const HOUR_MS = 3_600_000;
const KILOBYTE = 1_024;

export const NODE_FAULTS = {
  none: {
    what: 'no fault',
    cost: { ...CALM, promptMs: 2_000 },
    inject: async (_, __, wait) => wait(1_000),
    pauseMs: [0, 0],
    isAlone: true,
  },
  'kill-node': {
    what: 'SIGKILL a node and restart it; at the end one node dies and its readers do not reconnect',
    endsWithDeath: true,
    cost: { backMs: CALM.backMs },
    inject: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      await node.finish('SIGKILL');
      await wait(random.between(500, 3_000));
      await node.start();
    },
    pauseMs: [4_000, 8_000],
  },
  'rolling-restart': {
    what: 'SIGTERM the nodes one after the other and restart each',
    cost: CALM,
    inject: async ({ nodes }, _, wait) => {
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
    inject: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      node.stop();
      await wait(5_000);
      node.resume();
    },
    pauseMs: [1_000, 3_000],
  },
  'stop-node-30': {
    what: 'SIGSTOP a node for 30 s or until the end of the run: the others declare it dead',
    inject: async ({ nodes }, random, wait) => {
      const node = random.pick(nodes);
      node.stop();
      await wait(30_000);
      node.resume();
    },
    pauseMs: [4_000, 6_000],
    isAlone: true,
  },
  'wrong-clock': {
    what: 'restart a node with a clock that is off by one hour',
    cost: CALM,
    inject: async ({ nodes }, random) => {
      const node = random.pick(nodes);
      await node.finish('SIGTERM');
      const shift = random.pick([-HOUR_MS, HOUR_MS]);
      await node.start({ NODE_OPTIONS: `--import=${SHIFTED_CLOCK}`, CLOCK_SHIFT_MS: String(shift) });
    },
    pauseMs: [5_000, 9_000],
  },
  'slow-readers': {
    what: 'a quarter of the readers stop reading for 8 s during a flood',
    cost: CALM,
    inject: async ({ readers, flood }, random, wait) => {
      for (const reader of random.some(readers, readers.length / 4)) reader.pause(8_000);
      await flood(200, 3 * KILOBYTE);
      await wait(8_000);
    },
    pauseMs: [2_000, 4_000],
  },
  'short-tokens': {
    what: 'access tokens expire after 10 s: streams end and sessions are refreshed constantly',
    cost: CALM,
    env: { ACCESS_TTL_SECONDS: '10' },
    inject: async () => {},
    pauseMs: [1_000, 1_000],
    isAlone: true,
  },
  'half-open': {
    what: 'readers stop reading and open a new connection; the old one stays open',
    cost: CALM,
    inject: async ({ readers }, random) => {
      for (const reader of random.some(readers, readers.length / 5)) reader.abandon();
    },
    pauseMs: [2_000, 4_000],
  },
} satisfies Record<string, Fault>;
