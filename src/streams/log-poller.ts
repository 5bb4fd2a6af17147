/**
 * The slow look: compares tails with their logs' ends, so that a wake-up that was lost costs lateness and nothing else.
 * The broadcasts every 5 s; of the inboxes so many each time, in turn, because an idle crowd must cost next to nothing.
 * After the subscriber was away, all at once, and again until Redis has answered: the connection for commands may be
 * back later than the one that listens.
 */
import type { LogStore } from '../store/log/log-store.ts';
import { type Store, StoreUnavailable } from '../store/redis/client.ts';
import type { LogFollower } from './log-follower.ts';
import type { Subscriber } from './subscriber.ts';

const SWEEP_MS = 5_000;
const INBOXES_A_TIME = 1_000;
const ENDS_AT_ONCE = 200;
const AGAIN_MS = 500;

export function createLogPoller(options: {
  store: Store;
  logs: LogStore;
  broadcasts: { follower: LogFollower };
  subscribers: ReadonlyMap<string, Subscriber>;
}) {
  const { store, logs, broadcasts, subscribers } = options;
  /** Where the look has come to. Goes on past whoever comes and goes meanwhile. */
  let looking = subscribers.values();
  /** Each round over all of them ends the one before, which need not be finished any more. */
  let round = 0;

  /** Those whose turn it is; when all have had it, it begins anew. */
  function next(): Subscriber[] {
    const some: Subscriber[] = [];
    while (some.length < INBOXES_A_TIME) {
      const { value, done } = looking.next();
      if (done) {
        looking = subscribers.values();
        break;
      }
      some.push(value);
    }
    return some;
  }

  /** False: Redis is away, and some may not have been looked at. */
  async function look(some: Subscriber[]): Promise<boolean> {
    const followers = [broadcasts.follower, ...some.map((subscriber) => subscriber.follower)];
    const { keys } = store;
    const metas = [keys.broadcasts.meta, ...some.map(({ username }) => keys.inbox(username).meta)];
    try {
      for (let i = 0; i < followers.length; i += ENDS_AT_ONCE) {
        const ends = await logs.ends(metas.slice(i, i + ENDS_AT_ONCE));
        await Promise.all(ends.map((end, index) => followers[i + index]!.compare(end)));
      }
      return true;
    } catch (error) {
      if (error instanceof StoreUnavailable) return false;
      throw error;
    }
  }

  async function all(): Promise<void> {
    round += 1;
    const mine = round;
    while (mine === round && !(await look([...subscribers.values()])))
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS).unref());
  }

  const timer = setInterval(() => void look(next()), SWEEP_MS);
  return {
    all,
    stop(): void {
      round += 1;
      clearInterval(timer);
    },
  };
}
