/**
 * The broadcast log on this node: its follower and the channel that feeds it. Like an inbox, both exist from the first
 * stream to the last one: a node without streams does not subscribe to broadcasts.
 */
import type { Window } from '../store/log/log-reader.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import { LogFollower, type LogFollowerOwner } from './log-follower.ts';
import { receiveEntry } from './subscriber.ts';

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
    logGrew: LogFollowerOwner['logGrew'];
    logJumped: LogFollowerOwner['logJumped'];
  }) {
    const { store, pubsub, logs, replayLimit, logGrew, logJumped } = options;
    this.#store = store;
    this.#pubsub = pubsub;
    const owner = {
      fetch: (window: Window) => logs.read(store.keys.broadcasts, window),
      logGrew,
      logJumped,
    };
    this.#newFollower = () => new LogFollower('broadcast', owner, replayLimit);
    this.follower = this.#newFollower();
  }

  /** Resolves when the follower has reached the end of the log. Throws StoreUnavailable; the next call tries again. */
  open(): Promise<void> {
    const { follower } = this;
    this.#opened ??= this.#subscribe(follower).catch((error) => {
      if (this.follower === follower) this.#opened = undefined;
      throw error;
    });
    return this.#opened;
  }

  /** The last stream is gone. A follower that is still opening is left to finish on its own. */
  close(): void {
    this.#opened = undefined;
    this.#pubsub.unsubscribe(this.#store.keys.channels.broadcasts);
    this.follower = this.#newFollower();
  }

  /** Subscribe first, then read: see Subscriber.mailbox. */
  async #subscribe(follower: LogFollower): Promise<void> {
    await this.#pubsub.subscribe(this.#store.keys.channels.broadcasts, (payload) =>
      receiveEntry(follower, payload),
    );
    await follower.open();
  }
}
