/**
 * All streams of this node. What arrives within one turn of the event loop is gathered and written once per stream:
 * bytes that all share, bytes of its own, and its `id:`. Owns the tail of the broadcasts, one reader per account that
 * has a stream here, and the one clock for heartbeats, expiry and stalled sockets.
 *
 * Known limit: presence goes to everybody, so a change costs one write per stream; above `presenceFanoutLimit`
 * accounts only the number is told.
 */
import type { ServerResponse } from 'node:http';
import type { Logs } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Wake } from '../store/wake.ts';
import { formatPosition, parseCursor } from './cursor.ts';
import { burst, glue, ownBlock } from './frame.ts';
import { hearEntry, Reader } from './reader.ts';
import type { PresenceChange } from './roster.ts';
import { type Gap, type GoodbyeCode, type PresenceMode, Stream, type StreamHost } from './stream.ts';
import { type Framed, Tail } from './tail.ts';

export const HEARTBEAT_MS = 25_000;
const TICK_MS = 1_000;
/** The slow look at every log's end: what a lost wake-up costs at most. */
const SWEEP_MS = 5_000;
const SWEEP_AT_ONCE = 200;

export type StreamRequest = {
  username: string;
  sid: string;
  expiresAtMs: number;
  lastEventId: string | undefined;
  presence: PresenceMode;
};

export type HubOptions = {
  store: Store;
  wake: Wake;
  logs: Logs;
  limits: {
    maxStreamBytes: number;
    maxStreamsPerAccount: number;
    replayLimit: number;
    presenceFanoutLimit: number;
  };
  roster: { arrived(username: string): Promise<void>; left(username: string): void; total(): number };
  isRevoked: (sid: string) => boolean;
  counted: StreamHost['counted'];
};

/** What one turn gathered for everybody. */
type Turn = {
  entries: Framed[];
  origins: Set<string>;
  shared: Buffer | undefined;
  presence: { all: Buffer; count: Buffer } | undefined;
  idPart: string;
};

export class Hub {
  readonly #options: HubOptions;
  readonly #readers = new Map<string, Reader>();
  readonly #tail: Tail;
  readonly #timers: NodeJS.Timeout[];
  #arrived = new Set<Reader>();
  #presence: Turn['presence'];
  #isScheduled = false;
  #isClosing = false;
  #second = 0;

  constructor(options: HubOptions) {
    const { store, logs } = options;
    this.#options = options;
    this.#tail = new Tail({
      kind: 'broadcast',
      keep: options.limits.replayLimit,
      fetch: (window) => logs.read(store.keys.broadcasts, window),
      onPending: () => this.#schedule(),
      onJump: () => {
        for (const stream of this.streams()) stream.fallBehind('jump');
      },
    });
    this.#timers = [setInterval(() => this.#tick(), TICK_MS), setInterval(() => void this.sweep(), SWEEP_MS)];
  }

  async start(): Promise<void> {
    const { wake, store } = this.#options;
    await wake.listen(store.keys.channels.broadcasts, (payload) => hearEntry(this.#tail, payload));
    await this.#tail.open();
  }

  *streams(): Generator<Stream> {
    for (const reader of this.#readers.values()) yield* reader.streams;
  }

  get size(): number {
    let size = 0;
    for (const reader of this.#readers.values()) size += reader.streams.length;
    return size;
  }

  /** Open a stream on a response that has no head yet. Throws StoreUnavailable before the first byte. */
  async open(res: ServerResponse, request: StreamRequest): Promise<void> {
    const { limits, roster, isRevoked } = this.#options;
    const reader = this.#readerOf(request.username);
    reader.opening += 1;
    try {
      const [mailbox] = await Promise.all([reader.mailbox(), roster.arrived(request.username)]);
      const cursor = request.lastEventId === undefined ? undefined : parseCursor(request.lastEventId);
      const stream = new Stream(this.#hostFor(reader), res, {
        ...request,
        at: cursor ?? { inbox: mailbox.start, broadcasts: this.#tail.frontier },
        mailboxUntil: cursor ? 0 : mailbox.end,
      });
      const gaps = cursor
        ? await stream.verify()
        : freshGaps(request.lastEventId, mailbox.droppedFrom, mailbox.start.seq);
      if (res.destroyed || res.headersSent) return; // the client went, or was told that this took too long
      const online = roster.total();
      stream.start(
        [
          ownBlock({
            kind: 'ready',
            username: request.username,
            resumed: cursor !== undefined && gaps.every(({ from }) => from !== null),
            gap: gaps.length > 0,
            unread: mailbox.unread,
            online,
            presence: this.#served(request.presence),
            heartbeatMs: HEARTBEAT_MS,
          }),
        ],
        gaps,
      );
      reader.streams.push(stream);
      if (this.#isClosing) stream.end('shutdown');
      else if (isRevoked(request.sid)) stream.end('revoked');
      else if (reader.streams.length > limits.maxStreamsPerAccount) reader.streams[0]!.end('replaced');
    } finally {
      reader.opening -= 1;
      this.#release(reader);
    }
  }

  /** End the streams of a session. */
  endSession(sid: string): void {
    for (const stream of [...this.streams()]) if (stream.sid === sid) stream.end('revoked');
  }

  tellPresence({ online, offline, total }: PresenceChange): void {
    this.#presence = {
      all: ownBlock({ kind: 'presence', online, offline, total }),
      count: ownBlock({ kind: 'presence', total }),
    };
    if (total > this.#options.limits.presenceFanoutLimit) this.#presence.all = this.#presence.count;
    this.#schedule();
  }

  /** Compare every tail with its log: on a slow timer, and after the subscriber was away. */
  async sweep(): Promise<void> {
    const { store, logs } = this.#options;
    const readers = [...this.#readers.values()];
    const tails = [this.#tail, ...readers.map((reader) => reader.tail)];
    const metas = [
      store.keys.broadcasts.meta,
      ...readers.map(({ username }) => store.keys.inbox(username).meta),
    ];
    try {
      for (let i = 0; i < tails.length; i += SWEEP_AT_ONCE) {
        const heads = await logs.heads(metas.slice(i, i + SWEEP_AT_ONCE));
        await Promise.all(heads.map((head, index) => tails[i + index]!.compare(head)));
      }
    } catch {
      // Redis is away; the next sweep, or the subscriber's return, comes by itself.
    }
  }

  /** Every stream is told to come back, here or elsewhere, at a moment of its own. */
  stop(code: GoodbyeCode = 'shutdown'): void {
    this.#isClosing = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const stream of [...this.streams()]) stream.end(code);
  }

  #readerOf(username: string): Reader {
    const known = this.#readers.get(username);
    if (known) return known;
    const { store, wake, logs } = this.#options;
    const onArrival = (arrived: Reader) => {
      this.#arrived.add(arrived);
      this.#schedule();
    };
    const reader = new Reader(username, { store, wake, logs, onArrival });
    this.#readers.set(username, reader);
    return reader;
  }

  #release(reader: Reader): void {
    if (reader.opening > 0 || reader.streams.length > 0 || this.#readers.get(reader.username) !== reader)
      return;
    this.#readers.delete(reader.username);
    reader.close();
    this.#options.roster.left(reader.username);
  }

  #hostFor(reader: Reader): StreamHost {
    const { limits, roster, counted } = this.#options;
    return {
      maxBytes: limits.maxStreamBytes,
      replayLimit: limits.replayLimit,
      mailboxStart: async () => (await reader.mailbox()).start,
      tails: { inbox: reader.tail, broadcasts: this.#tail },
      presenceTotal: () => roster.total(),
      counted,
      closed: (stream) => {
        const index = reader.streams.indexOf(stream);
        if (index >= 0) reader.streams.splice(index, 1);
        this.#release(reader);
      },
    };
  }

  #served(asked: PresenceMode): PresenceMode {
    const { roster, limits } = this.#options;
    return asked === 'all' && roster.total() > limits.presenceFanoutLimit ? 'count' : asked;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    const entries = this.#tail.take();
    const arrived = this.#arrived;
    const presence = this.#presence;
    this.#arrived = new Set();
    this.#presence = undefined;
    for (const reader of arrived) reader.gather();
    const turn: Turn = {
      entries,
      origins: new Set(entries.map(({ origin }) => origin)),
      shared: entries.length > 0 ? glue(entries.map(({ block }) => block)) : undefined,
      presence,
      idPart: formatPosition(this.#tail.frontier),
    };
    const readers = turn.shared || presence ? this.#readers.values() : arrived;
    let deliveries = 0;
    for (const reader of readers)
      for (const stream of reader.streams) deliveries += this.#feed(stream, reader, turn);
    for (const reader of arrived) reader.settle();
    this.#options.counted('deliveries', deliveries);
  }

  /** One write for one stream; answers how many messages were in it. */
  #feed(stream: Stream, reader: Reader, turn: Turn): number {
    const ack = reader.acks.findLast(({ sid }) => sid !== stream.sid)?.block;
    const presence = stream.presence === 'off' ? undefined : turn.presence?.[stream.presence];
    if (stream.state !== 'live') {
      stream.skip(ack, presence !== undefined);
      return 0;
    }
    const plain = [];
    if (ack) plain.push(ack);
    if (presence) plain.push(presence);
    const messages = [];
    let count = turn.entries.length;
    if (turn.origins.has(stream.sid)) {
      const others = turn.entries.filter(({ origin }) => origin !== stream.sid);
      for (const { block } of others) messages.push(block);
      count = others.length;
    } else if (turn.shared) messages.push(turn.shared);
    for (const { origin, block } of reader.arrived) {
      if (origin === stream.sid) continue;
      messages.push(block);
      count += 1;
    }
    if (plain.length + messages.length > 0) {
      const id = messages.length > 0 ? `${reader.idPart}~${turn.idPart}` : undefined;
      const bytes = burst(glue([...plain, ...messages]), id);
      if (!stream.hasRoom(bytes.length)) {
        stream.fallBehind('slow');
        stream.skip(ack, presence !== undefined);
        return 0;
      }
      stream.feed(bytes);
    }
    stream.at = { inbox: reader.tail.frontier, broadcasts: this.#tail.frontier };
    return count;
  }

  #tick(): void {
    const now = this.#options.store.now();
    this.#second = (this.#second + 1) % (HEARTBEAT_MS / TICK_MS);
    for (const stream of [...this.streams()]) {
      if (stream.expiresAtMs <= now) stream.end('expired');
      else if (stream.isStalled(now)) stream.end('slow');
      else if (stream.slot === this.#second) stream.heartbeat();
    }
  }
}

/** Gaps of a stream that begins with the mailbox: its id was no cursor, or the inbox was full. */
function freshGaps(lastEventId: string | undefined, droppedFrom: number | undefined, start: number): Gap[] {
  const gaps: Gap[] = [];
  const inbox = { log: 'inbox', history: '/v1/mailbox' } as const;
  if (lastEventId !== undefined) {
    gaps.push({ ...inbox, from: null, to: null, reason: 'unreadable' });
    gaps.push({ log: 'broadcasts', history: '/v1/broadcasts', from: null, to: null, reason: 'unreadable' });
  }
  if (droppedFrom !== undefined) gaps.push({ ...inbox, from: droppedFrom, to: start, reason: 'overflow' });
  return gaps;
}
