/**
 * One account that has streams on this node: its inbox tail, the wake-up channel that feeds it, its streams.
 * Lives from the first stream's opening to the last one's end.
 */
import { inboxState, type Logs, type Position, parseEntry, START } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Wake } from '../store/wake.ts';
import { formatPosition } from './cursor.ts';
import { ownBlock } from './frame.ts';
import type { Stream } from './stream.ts';
import { type Framed, Tail } from './tail.ts';

/** Where a mailbox begins, and what its state says about it. */
export type Mailbox = { start: Position; end: number; unread: number; droppedFrom: number | undefined };

export class Reader {
  readonly streams: Stream[] = [];
  readonly tail: Tail;
  readonly username: string;
  /** Streams that are being opened: they need the reader too. */
  opening = 0;
  /** For this turn of the event loop: what arrived, and the inbox half of the `id:`. */
  arrived: Framed[] = [];
  acks: { sid: string; block: Buffer }[] = [];
  idPart = '0';
  readonly #read: () => ReturnType<Logs['read']>;
  readonly #subscribed: Promise<void>;
  readonly #stop: () => void;
  #opened: ReturnType<Tail['open']> | undefined;

  constructor(
    username: string,
    options: { store: Store; wake: Wake; logs: Logs; onArrival: (reader: Reader) => void },
  ) {
    const inbox = options.store.keys.inbox(username);
    this.username = username;
    this.#read = () => options.logs.read(inbox, { count: 0 });
    this.tail = new Tail({
      kind: 'dm',
      keep: 0,
      fetch: (window) => options.logs.read(inbox, window),
      onPending: () => options.onArrival(this),
      onJump: () => {
        this.idPart = formatPosition(this.tail.frontier);
        for (const stream of this.streams) stream.fallBehind('jump');
      },
    });
    this.#subscribed = options.wake.listen(inbox.channel, (payload) => {
      if (this.#hear(payload)) options.onArrival(this);
    });
    this.#stop = () => options.wake.forget(inbox.channel);
  }

  /** Subscribed first, read second: what is delivered between the two is not lost, only known twice. */
  async mailbox(): Promise<Mailbox> {
    await this.#subscribed;
    const isFirst = this.#opened === undefined;
    this.#opened ??= this.tail.open();
    const opened = await this.#opened;
    const part = isFirst ? opened : await this.#read();
    if (isFirst) this.idPart = formatPosition(this.tail.frontier);
    const { acked, unread, overflowed } = inboxState(part);
    const start = Math.max(acked, part.first - 1);
    return {
      start: start === 0 ? START : { epoch: part.head.epoch, seq: start, mark: '' },
      end: part.head.seq,
      unread,
      droppedFrom: overflowed ? acked + 1 : undefined,
    };
  }

  /** Take what arrived in this turn; the frontier moves. */
  gather(): void {
    this.arrived = this.tail.take();
    this.idPart = formatPosition(this.tail.frontier);
  }

  settle(): void {
    this.arrived = [];
    this.acks = [];
  }

  close(): void {
    this.#stop();
  }

  /** `entry epoch seq before origin note json` or `ack sid unread messageId`. True when streams have something to be told. */
  #hear(payload: string): boolean {
    const words = payload.split(' ', 4);
    if (words[0] === 'ack') {
      const [, sid = '', unread = '0', upTo = ''] = words;
      this.acks.push({ sid, block: ownBlock({ kind: 'mailbox', unread: Number(unread), upTo }) });
      return true;
    }
    hearEntry(this.tail, payload);
    return false;
  }
}

/** `entry epoch seq before origin note json`, as a log's script published it; before the first entry there is `-`. */
export function hearEntry(tail: Tail, payload: string): void {
  const [word = '', epoch = '', seq = '', before = ''] = payload.split(' ', 4);
  const raw = payload.slice(word.length + epoch.length + seq.length + before.length + 4);
  tail.hear({ epoch, before: before === '-' ? '' : before, entry: parseEntry(Number(seq), raw) });
}
