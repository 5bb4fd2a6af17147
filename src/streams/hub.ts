/**
 * All streams of this node. Entries that arrive in one turn of the event loop are batched and written once per stream:
 * shared blocks, its own blocks, and its `id:`. Owns the broadcast feed, one subscriber per account with a stream here,
 * and the single timer for heartbeats, token expiry and stalled sockets.
 *
 * Known limit: a presence change costs one write per stream; above `presenceFanoutLimit` only the total is sent.
 */
import { parseCursor } from '../store/log/cursor.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import {
  batchBytes,
  createBatch,
  type PresenceUpdate,
  pauseAfter,
  presenceBytes,
  writeBatch,
} from './batch.ts';
import { BroadcastFeed } from './broadcast-feed.ts';
import { createLogPoller } from './log-poller.ts';
import type { PresenceChange } from './node-presence.ts';
import { freshGaps, Replay } from './replay.ts';
import { createSharedBufferLimit } from './shared-buffer-limit.ts';
import { ownBlock } from './sse.ts';
import { type PresenceMode, Stream, type StreamHost } from './stream.ts';
import type { StreamAnswer, StreamRequest } from './stream-types.ts';
import { Subscriber, type SubscriberHost } from './subscriber.ts';
import type { Subscribers } from './subscribers.ts';

const TICK_MS = 1_000;
/** Stalled sockets are checked once every this many ticks. */
const STALLED_EVERY = 5;

export type HubOptions = {
  subscribers: Subscribers;
  store: Store;
  pubsub: PubSub;
  logs: LogStore;
  limits: {
    maxStreamBytes: number;
    maxStreamsPerAccount: number;
    replayLimit: number;
    presenceFanoutLimit: number;
  };
  heartbeatSeconds: number;
  nodePresence: { join(username: string): Promise<void>; leave(username: string): void; total(): number };
  isRevoked: (sid: string) => boolean;
  count: StreamHost['count'];
  reportError: StreamHost['reportError'];
  batchDelivered: (sentAtMs: number) => void;
};

export class Hub {
  readonly #options: HubOptions;
  readonly #subscribers: Subscribers;
  readonly #broadcasts: BroadcastFeed;
  readonly #host: SubscriberHost;
  readonly #poller: ReturnType<typeof createLogPoller>;
  readonly #clock: NodeJS.Timeout;
  #scheduled = new Set<Subscriber>();
  #presence: PresenceUpdate | undefined;
  #isScheduled = false;
  #isClosing = false;
  #second = 0;
  #pauseUntilMs = 0;
  #audience = 1; // number of streams that received the last broadcasts

  constructor(options: HubOptions) {
    const { subscribers, store, pubsub, logs, nodePresence, count, reportError } = options;
    [this.#options, this.#subscribers] = [options, subscribers];
    const { maxStreamBytes: maxBytes, replayLimit } = options.limits;
    const broadcasts = new BroadcastFeed({
      ...{ store, pubsub, logs, replayLimit, reportError },
      logGrew: () => this.#schedule(),
      logJumped: () => {
        for (const stream of subscribers.streams()) stream.fallBehind('jump');
      },
    });
    this.#broadcasts = broadcasts;
    this.#host = {
      ...{ store, pubsub, logs, broadcasts, count, reportError, maxBytes, replayLimit },
      queued: createSharedBufferLimit(() => this.#audience),
      presenceTotal: () => nodePresence.total(),
      scheduleDelivery: (subscriber) => {
        this.#scheduled.add(subscriber);
        this.#schedule();
      },
      streamClosed: (subscriber) => this.#release(subscriber),
    };
    this.#poller = createLogPoller({ store, logs, broadcasts, subscribers, reportError });
    this.#clock = setInterval(() => this.#tick(), TICK_MS);
  }

  /** Number of open streams. */
  get size(): number {
    return this.#subscribers.streamCount;
  }

  /** Open a stream on a response whose headers have not been sent. Throws StoreUnavailable before the first byte. */
  async open(answer: StreamAnswer, request: StreamRequest): Promise<void> {
    const { limits, heartbeatSeconds, nodePresence, isRevoked } = this.#options;
    const subscriber = this.#subscriberOf(request.username);
    subscriber.opening += 1;
    try {
      const [mailbox] = await Promise.all([
        subscriber.mailbox(),
        this.#broadcasts.open(),
        nodePresence.join(request.username),
      ]);
      const cursor = request.lastEventId === undefined ? undefined : parseCursor(request.lastEventId);
      const replay = new Replay(subscriber, {
        sid: request.sid,
        at: cursor ?? { inbox: mailbox.start, broadcasts: this.#broadcasts.follower.end },
        mailboxUntil: cursor ? 0 : mailbox.end,
      });
      const gaps = cursor
        ? await replay.verify()
        : freshGaps(request.lastEventId !== undefined, mailbox.droppedFrom, mailbox.start.seq);
      if (answer.isOver()) return;
      const ready = ownBlock({
        kind: 'ready',
        username: request.username,
        resumed: cursor !== undefined && gaps.every(({ from }) => from !== null),
        gap: gaps.length > 0 || mailbox.evictedAt > replay.at.inbox.seq,
        unread: mailbox.unread,
        online: nodePresence.total(),
        presence: this.#presenceModeFor(request.presence),
        heartbeatMs: heartbeatSeconds * 1_000,
      });
      const stream = new Stream(subscriber, answer.begin(), {
        ...request,
        replay,
        heartbeatSeconds,
        meter: answer.meter,
      });
      stream.start(ready, gaps);
      subscriber.streams.push(stream);
      if (this.#isClosing) stream.end('shutdown');
      else if (isRevoked(request.sid)) stream.end('revoked');
      else if (subscriber.streams.length > limits.maxStreamsPerAccount)
        subscriber.streams[0]!.end('replaced');
    } finally {
      subscriber.opening -= 1;
      this.#release(subscriber);
    }
  }

  /** End the streams of a session. */
  endSession(sid: string): void {
    for (const stream of [...this.#subscribers.streams()]) if (stream.sid === sid) stream.end('revoked');
  }

  sendPresence({ total, ...changes }: PresenceChange): void {
    if (this.#presence) this.#flush(); // write the pending event first, so that neither replaces the other
    const isAboveLimit = total > this.#options.limits.presenceFanoutLimit;
    const count = presenceBytes(ownBlock({ kind: 'presence', total }));
    const all = isAboveLimit ? count : presenceBytes(ownBlock({ kind: 'presence', ...changes, total }));
    this.#presence = { all, count };
    this.#schedule();
  }

  /** After the Redis subscriber reconnects: read what it missed. */
  poll(): Promise<void> {
    return this.#poller.checkAll();
  }

  /** End every stream; clients reconnect, to this node or another, after a random delay. */
  stop(): void {
    this.#isClosing = true;
    clearInterval(this.#clock);
    this.#poller.stop();
    for (const stream of [...this.#subscribers.streams()]) stream.end('shutdown');
  }

  #subscriberOf(username: string): Subscriber {
    const existing = this.#subscribers.get(username);
    if (existing) return existing;
    const subscriber = new Subscriber(username, this.#host);
    this.#subscribers.set(username, subscriber);
    return subscriber;
  }

  #release(subscriber: Subscriber): void {
    const isNeeded = subscriber.opening > 0 || subscriber.streams.length > 0;
    if (isNeeded || this.#subscribers.get(subscriber.username) !== subscriber) return;
    this.#subscribers.delete(subscriber.username);
    subscriber.close();
    this.#options.nodePresence.leave(subscriber.username);
    if (this.#subscribers.size === 0) this.#broadcasts.close();
  }

  #presenceModeFor(requested: PresenceMode): PresenceMode {
    const { nodePresence, limits } = this.#options;
    return requested === 'all' && nodePresence.total() > limits.presenceFanoutLimit ? 'count' : requested;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = this.#pauseUntilMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    this.#isScheduled = false;
    const startedAtMs = performance.now();
    const { follower } = this.#broadcasts;
    const maxBytes = batchBytes(this.#options.limits.maxStreamBytes, this.#audience);
    const broadcasts = follower.take(maxBytes);
    const scheduled = this.#scheduled;
    const presence = this.#presence;
    this.#scheduled = new Set();
    this.#presence = undefined;
    if (this.#subscribers.size === 0) return;
    for (const subscriber of scheduled) subscriber.takeEntries(maxBytes);
    const batch = createBatch(broadcasts, follower.end, presence, scheduled);
    const subscribers = batch.shared || presence ? this.#subscribers.values() : scheduled;
    let [deliveries, audience] = [0, 0];
    for (const subscriber of subscribers) {
      audience += subscriber.streams.length;
      for (const stream of subscriber.streams) deliveries += writeBatch(stream, subscriber, batch);
    }
    if (batch.shared) this.#audience = Math.max(1, audience);
    for (const subscriber of scheduled) {
      subscriber.clearBatch();
      if (subscriber.follower.hasMore) this.#host.scheduleDelivery(subscriber);
    }
    this.#pauseUntilMs = pauseAfter(startedAtMs);
    if (follower.hasMore) this.#schedule();
    this.#options.count('deliveries', deliveries);
    if (deliveries > 0 && batch.sentAtMs) this.#options.batchDelivered(batch.sentAtMs);
  }

  #tick(): void {
    const now = this.#options.store.now();
    const monotonicMs = performance.now();
    this.#second = (this.#second + 1) % this.#options.heartbeatSeconds;
    for (const { streams } of this.#subscribers.values()) {
      for (let i = streams.length - 1; i >= 0; i -= 1) {
        const stream = streams[i]!; // backwards: a stream that ends removes itself from the list
        if (stream.expiresAtMs <= now) stream.end('expired');
        else if (stream.slot % STALLED_EVERY !== this.#second % STALLED_EVERY) continue;
        else if (stream.backpressure.isStalled(monotonicMs)) stream.end('slow');
        else if (stream.slot === this.#second) stream.heartbeat();
      }
    }
  }
}
