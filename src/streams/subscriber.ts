/**
 * One account that has streams on this node: its inbox tail, the wake-up channel that feeds it, its streams.
 * Lives from the first stream's opening to the last one's end.
 */
import { inboxState } from '../store/inboxes.ts';
import { formatPosition } from '../store/log/cursor.ts';
import {
  type LogPart,
  type LogStore,
  type Position,
  parseEntry,
  START,
  type Window,
} from '../store/log/log-store.ts';
import type { Store } from '../store/redis/client.ts';
import type { InboxKeys } from '../store/redis/keys.ts';
import type { PubSub } from '../store/redis/pubsub.ts';
import type { BufferedBytes } from './buffered-bytes.ts';
import { type Framed, LogFollower, type LogFollowerOwner } from './log-follower.ts';
import type { ReplaySource } from './replay.ts';
import { ownBlock } from './sse.ts';
import type { Count, Stream, StreamHost } from './stream.ts';

/** Where a mailbox begins, and what its state says about it. */
export type Mailbox = {
  start: Position;
  end: number;
  unread: number;
  droppedFrom: number | undefined;
  /** Where the newest tombstone stands, or 0. */
  evictedAt: number;
};

/** What the hub lends to all its readers. */
export type SubscriberHost = {
  store: Store;
  pubsub: PubSub;
  logs: LogStore;
  broadcasts: { follower: LogFollower };
  maxBytes: number;
  replayLimit: number;
  queued: BufferedBytes;
  presenceTotal(): number;
  counted: StreamHost['counted'];
  /** Something is to be told to this reader's streams, in this turn. */
  arrived(subscriber: Subscriber): void;
  /** One of its streams has ended. */
  left(subscriber: Subscriber): void;
};

const NOTHING: never[] = [];
const DONE = Promise.resolve();

/** It is what its tail, its streams and their replays ask: methods, because there is one reader for each account. */
export class Subscriber implements LogFollowerOwner, StreamHost, ReplaySource {
  readonly streams: Stream[] = [];
  readonly follower: LogFollower;
  readonly username: string;
  /** Streams that are being opened: they need the reader too. */
  opening = 0;
  /** For this turn of the event loop: what arrived, and the inbox half of the `id:`. */
  arrived: Framed[] = NOTHING;
  acks: { sid: string; block: Buffer }[] = NOTHING;
  idPart = '0';
  readonly #host: SubscriberHost;
  /** A reader lives within one life of this tail, and so does whatever its streams still read when they have ended. */
  readonly #broadcasts: LogFollower;
  readonly #subscribed: Promise<void>;
  #opened: Promise<unknown> | undefined;

  constructor(username: string, host: SubscriberHost) {
    this.username = username;
    this.#host = host;
    this.#broadcasts = host.broadcasts.follower;
    this.follower = new LogFollower('dm', this);
    this.#subscribed = host.pubsub.listen(this.#keys().channel, (payload) => this.#hear(payload));
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

  get queued(): BufferedBytes {
    return this.#host.queued;
  }

  /** Subscribed first, read second: what is delivered between the two is not lost, only known twice. */
  async mailbox(): Promise<Mailbox> {
    await this.#subscribed;
    const part = this.#opened ? await this.#opened.then(() => this.fetch({ count: 0 })) : await this.#open();
    const { acked, unread, overflowed, evictedAt, isCounted } = inboxState(part);
    if (!isCounted) return this.#host.logs.recount(this.username).then(() => this.mailbox());
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
    return this.#host.logs.read(this.#keys(), window);
  }

  tailGrew(): void {
    this.#host.arrived(this);
  }

  tailJumped(): void {
    this.idPart = formatPosition(this.follower.end);
    for (const stream of this.streams) stream.fallBehind('jump');
  }

  presenceTotal(): number {
    return this.#host.presenceTotal();
  }

  counted(what: Count, howMany: number): void {
    this.#host.counted(what, howMany);
  }

  closed(stream: Stream): void {
    const index = this.streams.indexOf(stream);
    if (index >= 0) this.streams.splice(index, 1);
    this.#host.left(this);
  }

  /** Take what arrived in this turn, or as much of it as fits; the frontier moves. */
  gather(maxBytes: number): void {
    this.arrived = this.follower.take(maxBytes);
    this.idPart = formatPosition(this.follower.end);
  }

  settle(): void {
    this.arrived = NOTHING;
    this.acks = NOTHING;
  }

  close(): void {
    this.#host.pubsub.forget(this.#keys().channel);
  }

  #keys(): InboxKeys {
    return this.#host.store.keys.inbox(this.username);
  }

  async #open(): Promise<LogPart> {
    const opening = this.follower.open();
    this.#opened = opening;
    const part = await opening;
    this.#opened = DONE; // what was read is not kept
    this.idPart = formatPosition(this.follower.end);
    return part;
  }

  /** `entry epoch seq before origin note json` or `ack sid unread messageId`. */
  #hear(payload: string): void {
    if (!payload.startsWith('ack ')) {
      hearEntry(this.follower, payload);
      return;
    }
    const [, sid = '', unread = '0', upTo = ''] = payload.split(' ', 4);
    const block = ownBlock({ kind: 'mailbox', unread: Number(unread), upTo });
    this.acks = [...this.acks, { sid, block }];
    this.#host.arrived(this);
  }
}

/** `entry epoch seq before origin note json`, as a log's script published it; before the first entry there is `-`. */
export function hearEntry(follower: LogFollower, payload: string): void {
  const [word = '', epoch = '', seq = '', before = ''] = payload.split(' ', 4);
  const raw = payload.slice(word.length + epoch.length + seq.length + before.length + 4);
  follower.hear({ epoch, before: before === '-' ? '' : before, entry: parseEntry(Number(seq), raw) });
}
