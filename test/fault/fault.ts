/** What a fault is: what it does to the world until it is told to stop, and what it may cost at most. */
import type { Cost } from './checker.ts';
import type { Random } from './random.ts';
import type { Fsync } from './redis-server.ts';
import type { World } from './world.ts';

/** Where nothing that must answer is away: every send is answered, and whose stream has ended is back within 5 s. */
export const CALM = { unknowns: 0, backMs: 5_800 } satisfies Cost;

/** Ends early when the time of the run is over. */
export type Wait = (ms: number) => Promise<void>;

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
  strike: (world: World, random: Random, wait: Wait) => Promise<void>;
  /** Ms between two blows. */
  pauseMs: [low: number, high: number];
  /** In the end a node is killed, and who listened there does not come back. */
  endsWithDeath?: true;
  /** Not part of `mixed`: it may cost something, or needs a world of its own. */
  isAlone?: true;
};
