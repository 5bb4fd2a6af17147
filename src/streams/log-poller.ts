/**
 * Compares followers with the ends of their logs, so that a lost notification causes only a delay. Broadcasts are
 * checked every 5 s; inboxes a limited number at a time, in rotation, because idle accounts must cost next to nothing.
 * After the subscriber reconnects, all are checked at once, and again until Redis has replied: the command connection
 * may come back later than the subscriber.
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
  /** Position in the rotation. The iterator tolerates subscribers that are added or removed meanwhile. */
  let rotation = subscribers.values();
  /** A new round over all subscribers cancels the previous one. */
  let round = 0;

  /** The next subscribers in the rotation; starts over at the end. */
  function next(): Subscriber[] {
    const some: Subscriber[] = [];
    while (some.length < INBOXES_A_TIME) {
      const { value, done } = rotation.next();
      if (done) {
        rotation = subscribers.values();
        break;
      }
      some.push(value);
    }
    return some;
  }

  /** False if Redis is unavailable, in which case some may not have been checked. */
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
    const thisRound = round;
    while (thisRound === round && !(await look([...subscribers.values()])))
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
