/**
 * The broadcasts as this node hears them: their tail and the wake-up channel that feeds it. As with an inbox, both live
 * from the first stream's opening to the last one's end: a node without streams is not told of what nobody would hear.
 */
import type { Logs, Window } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Wake } from '../store/wake.ts';
import { hearEntry } from './reader.ts';
import { Tail, type TailOwner } from './tail.ts';

export class Broadcasts {
  tail: Tail;
  readonly #store: Store;
  readonly #wake: Wake;
  readonly #newTail: () => Tail;
  #opened: Promise<void> | undefined;

  constructor(options: {
    store: Store;
    wake: Wake;
    logs: Logs;
    replayLimit: number;
    grew: TailOwner['tailGrew'];
    jumped: TailOwner['tailJumped'];
  }) {
    const { store, wake, logs, replayLimit, grew, jumped } = options;
    this.#store = store;
    this.#wake = wake;
    const owner = {
      fetch: (window: Window) => logs.read(store.keys.broadcasts, window),
      tailGrew: grew,
      tailJumped: jumped,
    };
    this.#newTail = () => new Tail('broadcast', owner, replayLimit);
    this.tail = this.#newTail();
  }

  /** Resolves when the tail stands at the log's end. Throws StoreUnavailable; the next call tries again. */
  open(): Promise<void> {
    const { tail } = this;
    this.#opened ??= this.#listen(tail).catch((error) => {
      if (this.tail === tail) this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Nobody listens any more. A tail that is still being opened is left to itself. */
  close(): void {
    this.#opened = undefined;
    this.#wake.forget(this.#store.keys.channels.broadcasts);
    this.tail = this.#newTail();
  }

  /** Subscribed first, read second: see Reader.mailbox. */
  async #listen(tail: Tail): Promise<void> {
    await this.#wake.listen(this.#store.keys.channels.broadcasts, (payload) => hearEntry(tail, payload));
    await tail.open();
  }
}
