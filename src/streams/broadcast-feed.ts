/**
 * The broadcast log on this node: its follower and the channel that feeds it. Like an inbox, both exist from the first
 * stream to the last one: a node without streams does not subscribe to broadcasts.
 */
import { parseEntry } from '../store/log/entry.ts';
import type { Window } from '../store/log/log-reader.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import type { ReportError } from '../store/unexpected-errors.ts';
import { LogFollower, type LogFollowerOwner } from './log-follower.ts';
import { receiveEntry, SKIPPED } from './subscriber.ts';

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
    reportError: ReportError;
  }) {
    const { store, pubsub, logs, replayLimit, logGrew, logJumped, reportError } = options;
    this.#store = store;
    this.#pubsub = pubsub;
    const owner = {
      fetch: (window: Window) => logs.read(store.keys.everyone, window),
      logGrew,
      logJumped,
      entrySkipped: () => reportError('the broadcasts', new Error(SKIPPED)),
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
    this.#pubsub.unsubscribe(this.#store.keys.channels.everyone);
    this.follower = this.#newFollower();
  }

  /** Subscribe first, then read: see Subscriber.mailbox. */
  async #subscribe(follower: LogFollower): Promise<void> {
    await this.#pubsub.subscribe(this.#store.keys.channels.everyone, (payload) =>
      receiveEntry(follower, payload, parseEntry),
    );
    await follower.open();
  }
}
