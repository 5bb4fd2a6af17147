/**
 * One account that has streams on this node: its inbox tail, the wake-up channel that feeds it, its streams.
 * Lives from the first stream's opening to the last one's end.
 */
import { inboxState } from '../store/inboxes.ts';
import type { InboxKeys } from '../store/keys.ts';
import { type LogPart, type Logs, type Position, parseEntry, START, type Window } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Wake } from '../store/wake.ts';
import { formatPosition } from './cursor.ts';
import { ownBlock } from './frame.ts';
import type { Queued } from './queued.ts';
import type { ReplaySource } from './replay.ts';
import type { Count, Stream, StreamHost } from './stream.ts';
import { type Framed, Tail, type TailOwner } from './tail.ts';

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
export type ReaderHome = {
  store: Store;
  wake: Wake;
  logs: Logs;
  broadcasts: { tail: Tail };
  maxBytes: number;
  replayLimit: number;
  queued: Queued;
  presenceTotal(): number;
  counted: StreamHost['counted'];
  /** Something is to be told to this reader's streams, in this turn. */
  arrived(reader: Reader): void;
  /** One of its streams has ended. */
  left(reader: Reader): void;
};

const NOTHING: never[] = [];
const DONE = Promise.resolve();

/** It is what its tail, its streams and their replays ask: methods, because there is one reader for each account. */
export class Reader implements TailOwner, StreamHost, ReplaySource {
  readonly streams: Stream[] = [];
  readonly tail: Tail;
  readonly username: string;
  /** Streams that are being opened: they need the reader too. */
  opening = 0;
  /** For this turn of the event loop: what arrived, and the inbox half of the `id:`. */
  arrived: Framed[] = NOTHING;
  acks: { sid: string; block: Buffer }[] = NOTHING;
  idPart = '0';
  readonly #home: ReaderHome;
  /** A reader lives within one life of this tail, and so does whatever its streams still read when they have ended. */
  readonly #broadcasts: Tail;
  readonly #subscribed: Promise<void>;
  #opened: Promise<unknown> | undefined;

  constructor(username: string, home: ReaderHome) {
    this.username = username;
    this.#home = home;
    this.#broadcasts = home.broadcasts.tail;
    this.tail = new Tail('dm', this);
    this.#subscribed = home.wake.listen(this.#keys().channel, (payload) => this.#hear(payload));
  }

  get tails(): ReplaySource['tails'] {
    return { inbox: this.tail, broadcasts: this.#broadcasts };
  }

  get replayLimit(): number {
    return this.#home.replayLimit;
  }

  get maxBytes(): number {
    return this.#home.maxBytes;
  }

  get queued(): Queued {
    return this.#home.queued;
  }

  /** Subscribed first, read second: what is delivered between the two is not lost, only known twice. */
  async mailbox(): Promise<Mailbox> {
    await this.#subscribed;
    const part = this.#opened ? await this.#opened.then(() => this.fetch({ count: 0 })) : await this.#open();
    const { acked, unread, overflowed, evictedAt, isCounted } = inboxState(part);
    if (!isCounted) return this.#home.logs.recount(this.username).then(() => this.mailbox());
    const start = Math.max(acked, part.first - 1);
    return {
      start: start === 0 ? START : { epoch: part.head.epoch, seq: start, mark: '' },
      end: part.head.seq,
      unread,
      droppedFrom: overflowed ? acked + 1 : undefined,
      evictedAt,
    };
  }

  async mailboxStart(): Promise<Position> {
    return (await this.mailbox()).start;
  }

  fetch(window: Window): Promise<LogPart> {
    return this.#home.logs.read(this.#keys(), window);
  }

  tailGrew(): void {
    this.#home.arrived(this);
  }

  tailJumped(): void {
    this.idPart = formatPosition(this.tail.frontier);
    for (const stream of this.streams) stream.fallBehind('jump');
  }

  presenceTotal(): number {
    return this.#home.presenceTotal();
  }

  counted(what: Count, howMany: number): void {
    this.#home.counted(what, howMany);
  }

  closed(stream: Stream): void {
    const index = this.streams.indexOf(stream);
    if (index >= 0) this.streams.splice(index, 1);
    this.#home.left(this);
  }

  /** Take what arrived in this turn, or as much of it as fits; the frontier moves. */
  gather(maxBytes: number): void {
    this.arrived = this.tail.take(maxBytes);
    this.idPart = formatPosition(this.tail.frontier);
  }

  settle(): void {
    this.arrived = NOTHING;
    this.acks = NOTHING;
  }

  close(): void {
    this.#home.wake.forget(this.#keys().channel);
  }

  #keys(): InboxKeys {
    return this.#home.store.keys.inbox(this.username);
  }

  async #open(): Promise<LogPart> {
    const opening = this.tail.open();
    this.#opened = opening;
    const part = await opening;
    this.#opened = DONE; // what was read is not kept
    this.idPart = formatPosition(this.tail.frontier);
    return part;
  }

  /** `entry epoch seq before origin note json` or `ack sid unread messageId`. */
  #hear(payload: string): void {
    if (!payload.startsWith('ack ')) {
      hearEntry(this.tail, payload);
      return;
    }
    const [, sid = '', unread = '0', upTo = ''] = payload.split(' ', 4);
    const block = ownBlock({ kind: 'mailbox', unread: Number(unread), upTo });
    this.acks = [...this.acks, { sid, block }];
    this.#home.arrived(this);
  }
}

/** `entry epoch seq before origin note json`, as a log's script published it; before the first entry there is `-`. */
export function hearEntry(tail: Tail, payload: string): void {
  const [word = '', epoch = '', seq = '', before = ''] = payload.split(' ', 4);
  const raw = payload.slice(word.length + epoch.length + seq.length + before.length + 4);
  tail.hear({ epoch, before: before === '-' ? '' : before, entry: parseEntry(Number(seq), raw) });
}
