/**
 * The slow look: compares tails with their logs' ends, so that a wake-up that was lost costs lateness and nothing else.
 * The broadcasts every 5 s; of the inboxes so many each time, in turn, because an idle crowd must cost next to nothing.
 * After the subscriber was away, all at once, and again until Redis has answered: the connection for commands may be
 * back later than the one that listens.
 */
import type { Logs } from '../store/logs.ts';
import { type Store, StoreUnavailable } from '../store/redis.ts';
import type { Reader } from './reader.ts';
import type { Tail } from './tail.ts';

const SWEEP_MS = 5_000;
const INBOXES_A_TIME = 1_000;
const HEADS_AT_ONCE = 200;
const AGAIN_MS = 500;

export function createSweep(options: {
  store: Store;
  logs: Logs;
  broadcasts: { tail: Tail };
  readers: ReadonlyMap<string, Reader>;
}) {
  const { store, logs, broadcasts, readers } = options;
  /** Where the look has come to. Goes on past whoever comes and goes meanwhile. */
  let looking = readers.values();
  /** Each round over all of them ends the one before, which need not be finished any more. */
  let round = 0;

  /** Those whose turn it is; when all have had it, it begins anew. */
  function next(): Reader[] {
    const some: Reader[] = [];
    while (some.length < INBOXES_A_TIME) {
      const { value, done } = looking.next();
      if (done) {
        looking = readers.values();
        break;
      }
      some.push(value);
    }
    return some;
  }

  /** False: Redis is away, and some may not have been looked at. */
  async function look(some: Reader[]): Promise<boolean> {
    const tails = [broadcasts.tail, ...some.map((reader) => reader.tail)];
    const { keys } = store;
    const metas = [keys.broadcasts.meta, ...some.map(({ username }) => keys.inbox(username).meta)];
    try {
      for (let i = 0; i < tails.length; i += HEADS_AT_ONCE) {
        const heads = await logs.heads(metas.slice(i, i + HEADS_AT_ONCE));
        await Promise.all(heads.map((head, index) => tails[i + index]!.compare(head)));
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
    while (mine === round && !(await look([...readers.values()])))
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
