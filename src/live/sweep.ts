/**
 * The slow look: compares tails with their logs' ends, so that a wake-up that was lost costs lateness and nothing else.
 * The broadcasts every 5 s; of the inboxes so many each time, in turn, because an idle crowd must cost next to nothing.
 * After the subscriber was away, all at once.
 */
import type { Logs } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Reader } from './reader.ts';
import type { Tail } from './tail.ts';

const SWEEP_MS = 5_000;
const INBOXES_A_TIME = 1_000;
const HEADS_AT_ONCE = 200;

export function createSweep(options: {
  store: Store;
  logs: Logs;
  broadcasts: { tail: Tail };
  readers: ReadonlyMap<string, Reader>;
}) {
  const { store, logs, broadcasts, readers } = options;
  /** Where the look has come to. Goes on past whoever comes and goes meanwhile. */
  let looking = readers.values();

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

  async function look(some: Reader[]): Promise<void> {
    const tails = [broadcasts.tail, ...some.map((reader) => reader.tail)];
    const { keys } = store;
    const metas = [keys.broadcasts.meta, ...some.map(({ username }) => keys.inbox(username).meta)];
    try {
      for (let i = 0; i < tails.length; i += HEADS_AT_ONCE) {
        const heads = await logs.heads(metas.slice(i, i + HEADS_AT_ONCE));
        await Promise.all(heads.map((head, index) => tails[i + index]!.compare(head)));
      }
    } catch {
      // Redis is away; the next look, or the subscriber's return, comes by itself.
    }
  }

  const timer = setInterval(() => void look(next()), SWEEP_MS);
  return {
    all: () => look([...readers.values()]),
    stop: () => clearInterval(timer),
  };
}
