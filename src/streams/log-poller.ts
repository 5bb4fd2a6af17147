/**
 * Compares followers with the ends of their logs, so that a lost notification causes only a delay. Broadcasts are
 * checked every 5 s; inboxes a limited number at a time, in rotation, because idle accounts must cost next to nothing.
 * After the subscriber reconnects, all are checked at once, and again until Redis has replied: the command connection
 * may come back later than the subscriber.
 */
import type { LogStore } from '../store/log/log-store.ts';
import { type Store, StoreUnavailable } from '../store/redis/client.ts';
import type { ReportError } from '../store/unexpected-errors.ts';
import type { LogFollower } from './log-follower.ts';
import type { Subscriber } from './subscriber.ts';

const CHECK_MS = 5_000;
const INBOXES_PER_CHECK = 1_000;
const ENDS_PER_CALL = 200;
const RETRY_MS = 500;

export function createLogPoller(options: {
  store: Store;
  logs: LogStore;
  broadcasts: { follower: LogFollower };
  subscribers: ReadonlyMap<string, Subscriber>;
  reportError: ReportError;
}) {
  const { store, logs, broadcasts, subscribers, reportError } = options;
  /** Position in the rotation. The iterator tolerates subscribers that are added or removed meanwhile. */
  let rotation = subscribers.values();
  /** A new round over all subscribers cancels the previous one. */
  let round = 0;

  /** The next subscribers in the rotation; starts over at the end. */
  function nextBatch(): Subscriber[] {
    const batch: Subscriber[] = [];
    while (batch.length < INBOXES_PER_CHECK) {
      const { value, done } = rotation.next();
      if (done) {
        rotation = subscribers.values();
        break;
      }
      batch.push(value);
    }
    return batch;
  }

  /** Returns false if Redis is unavailable, in which case some may not have been checked. */
  async function check(batch: Subscriber[]): Promise<boolean> {
    const followers = [broadcasts.follower, ...batch.map((subscriber) => subscriber.follower)];
    const { keys } = store;
    const hashes = [keys.everyone.hash, ...batch.map(({ username }) => keys.inbox(username).hash)];
    try {
      for (let i = 0; i < followers.length; i += ENDS_PER_CALL) {
        const ends = await logs.ends(hashes.slice(i, i + ENDS_PER_CALL));
        await Promise.all(ends.map((end, index) => followers[i + index]!.compare(end)));
      }
      return true;
    } catch (error) {
      reportError('the log poller', error);
      return !(error instanceof StoreUnavailable); // otherwise left to the next round
    }
  }

  async function checkAll(): Promise<void> {
    round += 1;
    const ownRound = round;
    while (ownRound === round && !(await check([...subscribers.values()])))
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
  }

  const timer = setInterval(() => void check(nextBatch()), CHECK_MS);
  return {
    checkAll,
    stop(): void {
      round += 1;
      clearInterval(timer);
    },
  };
}
