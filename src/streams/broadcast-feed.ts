/**
 * The broadcasts as this node hears them: their tail and the wake-up channel that feeds it. As with an inbox, both live
 * from the first stream's opening to the last one's end: a node without streams is not told of what nobody would hear.
 */
import type { LogStore, Window } from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import { LogFollower, type LogFollowerOwner } from './log-follower.ts';
import { hearEntry } from './subscriber.ts';

export class BroadcastFeed {
  follower: LogFollower;
  readonly #store: Store;
  readonly #pubsub: PubSub;
  readonly #newFollower: () => LogFollower;
  #opened: Promise<void> | undefined;

  constructor(options: {
    store: Store;
    pubsub: PubSub;
    logs: LogStore;
    replayLimit: number;
    grew: LogFollowerOwner['tailGrew'];
    jumped: LogFollowerOwner['tailJumped'];
  }) {
    const { store, pubsub, logs, replayLimit, grew, jumped } = options;
    this.#store = store;
    this.#pubsub = pubsub;
    const owner = {
      fetch: (window: Window) => logs.read(store.keys.broadcasts, window),
      tailGrew: grew,
      tailJumped: jumped,
    };
    this.#newFollower = () => new LogFollower('broadcast', owner, replayLimit);
    this.follower = this.#newFollower();
  }

  /** Resolves when the tail stands at the log's end. Throws StoreUnavailable; the next call tries again. */
  open(): Promise<void> {
    const { follower } = this;
    this.#opened ??= this.#listen(follower).catch((error) => {
      if (this.follower === follower) this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** Nobody listens any more. A tail that is still being opened is left to itself. */
  close(): void {
    this.#opened = undefined;
    this.#pubsub.forget(this.#store.keys.channels.broadcasts);
    this.follower = this.#newFollower();
  }

  /** Subscribed first, read second: see Reader.mailbox. */
  async #listen(follower: LogFollower): Promise<void> {
    await this.#pubsub.listen(this.#store.keys.channels.broadcasts, (payload) =>
      hearEntry(follower, payload),
    );
    await follower.open();
  }
}
