/** The definition of a fault: how it acts on the world of a run, and the most it may cost. */
import type { Cost } from './checker.ts';
import type { Random } from './random.ts';
import type { Fsync } from './redis-server.ts';
import type { World } from './world.ts';

/** For faults during which everything that must respond is available: every send is answered, and readers reconnect within 5 s. */
export const CALM = { unknowns: 0, backMs: 5_800 } satisfies Cost;

/** Resolves early when the time of the run is over. */
export type Wait = (ms: number) => Promise<void>;

export type Fault = {
  what: string;
  /** Default: `always`. */
  fsync?: Fsync;
  /** Returns the data folder for Redis; throws if the machine does not support it. */
  folder?: () => string;
  env?: NodeJS.ProcessEnv;
  /** Apart from this, nothing may be missing and no gap may be reported. */
  cost?: Cost;
  /** Injects the fault once; resolves when it is over. */
  inject: (world: World, random: Random, wait: Wait) => Promise<void>;
  /** Milliseconds between two injections. */
  pauseMs: [low: number, high: number];
  /** At the end a node is killed, and its readers do not reconnect. */
  endsWithDeath?: true;
  /** Excluded from `mixed`: it may cost something, or needs its own world. */
  isAlone?: true;
};
