/**
 * One account with streams on this node: its inbox follower, the channel that feeds it, and its streams. Exists from
 * the opening of the first stream to the end of the last one.
 */
import { inboxState } from '../store/inboxes.ts';
import { formatPosition } from '../store/log/cursor.ts';
import { decodeId, type Entry, type Position, parseInboxEntry, START } from '../store/log/entry.ts';
import type { LogPart, Window } from '../store/log/log-reader.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { InboxKeys } from '../store/redis/keys.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import { type FramedEntry, LogFollower, type LogFollowerOwner } from './log-follower.ts';
import type { ReplaySource } from './replay.ts';
import type { SharedBufferLimit } from './shared-buffer-limit.ts';
import { ownBlock } from './sse.ts';
import type { Count, Stream, StreamHost } from './stream.ts';

/** Where a mailbox starts, and its current state. */
export type Mailbox = {
  start: Position;
  end: number;
  unread: number;
  droppedFrom: number | undefined;
  /** Seq of the newest tombstone, or 0. */
  evictedAt: number;
};

/** What the hub provides to all its subscribers. */
export type SubscriberHost = {
  store: Store;
  pubsub: PubSub;
  logs: LogStore;
  broadcasts: { follower: LogFollower };
  maxBytes: number;
  replayLimit: number;
  queued: SharedBufferLimit;
  presenceTotal(): number;
  count: StreamHost['count'];
  reportError: StreamHost['reportError'];
  /** This subscriber has something to deliver in this batch. */
  scheduleDelivery(subscriber: Subscriber): void;
  /** One of its streams has ended. */
  streamClosed(subscriber: Subscriber): void;
};

/** Logged once for each kind of log. */
export const SKIPPED = 'an entry of a later release was skipped';
const NO_ENTRIES: never[] = [];
const RESOLVED = Promise.resolve();

/**
 * Implements what its follower, its streams and their replays need. Methods instead of closures: there is one
 * subscriber per account.
 */
export class Subscriber implements LogFollowerOwner, StreamHost, ReplaySource {
  readonly streams: Stream[] = [];
  readonly follower: LogFollower;
  readonly username: string;
  /** Streams that are being opened also need the subscriber. */
  opening = 0;
  /** For the current batch: new entries, and the inbox half of the `id:`. */
  entries: FramedEntry[] = NO_ENTRIES;
  acks: { sid: string; block: Buffer }[] = NO_ENTRIES;
  idPart = '0';
  readonly #host: SubscriberHost;
  /** A subscriber stays with the follower it was created with, even if the hub opens a new one. */
  readonly #broadcasts: LogFollower;
  readonly #subscribed: Promise<void>;
  #opened: Promise<unknown> | undefined;

  constructor(username: string, host: SubscriberHost) {
    this.username = username;
    this.#host = host;
    this.#broadcasts = host.broadcasts.follower;
    this.follower = new LogFollower('dm', this);
    this.#subscribed = host.pubsub.subscribe(this.#keys().pubsub, (payload) => this.#receive(payload));
  }

  get followers(): ReplaySource['followers'] {
    return { inbox: this.follower, broadcasts: this.#broadcasts };
  }

  get replayLimit(): number {
    return this.#host.replayLimit;
  }

  get maxBytes(): number {
    return this.#host.maxBytes;
  }

  get queued(): SharedBufferLimit {
    return this.#host.queued;
  }

  /** Subscribe first, then read: an entry delivered between the two is seen twice instead of lost. */
  async mailbox(): Promise<Mailbox> {
    await this.#subscribed;
    const part = this.#opened ? await this.#opened.then(() => this.fetch({ count: 0 })) : await this.#open();
    const { acked, unread, overflowed, evictedAt } = inboxState(part);
    const start = Math.max(acked, part.first - 1);
    return {
      start: start === 0 ? START : { epoch: part.end.epoch, seq: start, mark: '' },
      end: part.end.seq,
      unread,
      droppedFrom: overflowed ? acked + 1 : undefined,
      evictedAt,
    };
  }

  async mailboxStart(): Promise<Position> {
    return (await this.mailbox()).start;
  }

  fetch(window: Window): Promise<LogPart> {
    return this.#host.logs.read(this.#keys(), window, parseInboxEntry);
  }

  logGrew(): void {
    this.#host.scheduleDelivery(this);
  }

  logJumped(): void {
    this.idPart = formatPosition(this.follower.end);
    for (const stream of this.streams) stream.fallBehind('jump');
  }

  entrySkipped(): void {
    this.#host.reportError('an inbox', new Error(SKIPPED));
  }

  presenceTotal(): number {
    return this.#host.presenceTotal();
  }

  get reportError(): StreamHost['reportError'] {
    return this.#host.reportError;
  }

  count(what: Count, howMany: number): void {
    this.#host.count(what, howMany);
  }

  closed(stream: Stream): void {
    const index = this.streams.indexOf(stream);
    if (index >= 0) this.streams.splice(index, 1);
    this.#host.streamClosed(this);
  }

  /** Take the pending entries that fit into `maxBytes`; `end` moves past them. */
  takeEntries(maxBytes: number): void {
    this.entries = this.follower.take(maxBytes);
    this.idPart = formatPosition(this.follower.end);
  }

  clearBatch(): void {
    this.entries = NO_ENTRIES;
    this.acks = NO_ENTRIES;
  }

  close(): void {
    this.#host.pubsub.unsubscribe(this.#keys().pubsub);
  }

  #keys(): InboxKeys {
    return this.#host.store.keys.inbox(this.username);
  }

  async #open(): Promise<LogPart> {
    const opening = this.follower.open();
    this.#opened = opening;
    const part = await opening;
    this.#opened = RESOLVED; // do not retain what was read
    this.idPart = formatPosition(this.follower.end);
    return part;
  }

  /** Handle a notification of an entry, or `ack sid unread id`. */
  #receive(payload: string): void {
    if (!payload.startsWith('ack ')) {
      receiveEntry(this.follower, payload, parseInboxEntry);
      return;
    }
    const [, sid = '', unread = '0', upTo = ''] = payload.split(' ', 4);
    const block = ownBlock({ kind: 'mailbox', unread: Number(unread), upTo: decodeId(upTo) });
    this.acks = [...this.acks, { sid, block }];
    this.#host.scheduleDelivery(this);
  }
}

/**
 * Handle `entry epoch seq before` and the entry as stored, published by the script that appended. `before` is `-` for the
 * first entry.
 */
export function receiveEntry(
  follower: LogFollower,
  payload: string,
  parse: (seq: number, raw: string) => Entry,
): void {
  const [word = '', epoch = '', seq = '', before = ''] = payload.split(' ', 4);
  const raw = payload.slice(word.length + epoch.length + seq.length + before.length + 4);
  follower.receive({ epoch, before: before === '-' ? '' : before, entry: parse(Number(seq), raw) });
}
