/**
 * All streams of this node. What arrives within one turn of the event loop is gathered and written once per stream:
 * bytes that all share, bytes of its own, and its `id:`. Owns the broadcasts, one reader per account that has a stream
 * here, and the one clock for heartbeats, expiry and stalled sockets.
 *
 * Known limit: presence goes to everybody, so a change costs one write per stream; above `presenceFanoutLimit`
 * accounts only the number is told.
 */
import type { Logs } from '../store/logs.ts';
import type { Store } from '../store/redis.ts';
import type { Wake } from '../store/wake.ts';
import { Broadcasts } from './broadcasts.ts';
import { parseCursor } from './cursor.ts';
import { ownBlock } from './frame.ts';
import { createQueued } from './queued.ts';
import { Reader, type ReaderHome } from './reader.ts';
import { freshGaps, Replay } from './replay.ts';
import type { PresenceChange } from './roster.ts';
import { type PresenceMode, Stream, type StreamHost } from './stream.ts';
import type { StreamAnswer, StreamRequest } from './stream-request.ts';
import { createSweep } from './sweep.ts';
import { bytesOfTurn, createTurn, feed, type PresenceTold, presenceBytes, restAfter } from './turn.ts';

const TICK_MS = 1_000;
/** Whether a socket stands still is asked every so many ticks. */
const STALLED_EVERY = 5;

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
  heartbeatSeconds: number;
  roster: { arrived(username: string): Promise<void>; left(username: string): void; total(): number };
  isRevoked: (sid: string) => boolean;
  counted: StreamHost['counted'];
};

export class Hub {
  readonly #options: HubOptions;
  readonly #readers = new Map<string, Reader>();
  readonly #broadcasts: Broadcasts;
  readonly #home: ReaderHome;
  readonly #sweep: ReturnType<typeof createSweep>;
  readonly #clock: NodeJS.Timeout;
  #arrived = new Set<Reader>();
  #presence: PresenceTold | undefined;
  #isScheduled = false;
  #isClosing = false;
  #second = 0;
  #restUntilMs = 0;
  #audience = 1; // how many streams the last broadcasts went to

  constructor(options: HubOptions) {
    const { store, wake, logs, roster, limits, counted } = options;
    this.#options = options;
    const { maxStreamBytes: maxBytes, replayLimit } = limits;
    const broadcasts = new Broadcasts({
      ...{ store, wake, logs, replayLimit },
      grew: () => this.#schedule(),
      jumped: () => {
        for (const stream of this.streams()) stream.fallBehind('jump');
      },
    });
    this.#broadcasts = broadcasts;
    this.#home = {
      ...{ store, wake, logs, broadcasts, counted, maxBytes, replayLimit },
      queued: createQueued(() => this.#audience),
      presenceTotal: () => roster.total(),
      arrived: (reader) => {
        this.#arrived.add(reader);
        this.#schedule();
      },
      left: (reader) => this.#release(reader),
    };
    this.#sweep = createSweep({ store, logs, broadcasts, readers: this.#readers });
    this.#clock = setInterval(() => this.#tick(), TICK_MS);
  }

  *streams(): Generator<Stream> {
    for (const reader of this.#readers.values()) yield* reader.streams;
  }

  get size(): number {
    let size = 0;
    for (const reader of this.#readers.values()) size += reader.streams.length;
    return size;
  }

  /** Open a stream on an answer that has no head yet. Throws StoreUnavailable before the first byte. */
  async open(answer: StreamAnswer, request: StreamRequest): Promise<void> {
    const { limits, heartbeatSeconds, roster, isRevoked } = this.#options;
    const reader = this.#readerOf(request.username);
    reader.opening += 1;
    try {
      const [mailbox] = await Promise.all([
        reader.mailbox(),
        this.#broadcasts.open(),
        roster.arrived(request.username),
      ]);
      const cursor = request.lastEventId === undefined ? undefined : parseCursor(request.lastEventId);
      const replay = new Replay(reader, {
        sid: request.sid,
        at: cursor ?? { inbox: mailbox.start, broadcasts: this.#broadcasts.tail.frontier },
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
        online: roster.total(),
        presence: this.#served(request.presence),
        heartbeatMs: heartbeatSeconds * 1_000,
      });
      const stream = new Stream(reader, answer.begin(), {
        ...request,
        replay,
        heartbeatSeconds,
        meter: answer.meter,
      });
      stream.start(ready, gaps);
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

  tellPresence({ total, ...changes }: PresenceChange): void {
    if (this.#presence) this.#flush(); // told in the same turn: neither may replace the other
    const isCrowd = total > this.#options.limits.presenceFanoutLimit;
    const count = presenceBytes(ownBlock({ kind: 'presence', total }));
    const all = isCrowd ? count : presenceBytes(ownBlock({ kind: 'presence', ...changes, total }));
    this.#presence = { all, count };
    this.#schedule();
  }

  /** After the subscriber was away: what was missed is read. */
  sweep(): Promise<void> {
    return this.#sweep.all();
  }

  /** Every stream is told to come back, here or elsewhere, at a moment of its own. */
  stop(): void {
    this.#isClosing = true;
    clearInterval(this.#clock);
    this.#sweep.stop();
    for (const stream of [...this.streams()]) stream.end('shutdown');
  }

  #readerOf(username: string): Reader {
    const known = this.#readers.get(username);
    if (known) return known;
    const reader = new Reader(username, this.#home);
    this.#readers.set(username, reader);
    return reader;
  }

  #release(reader: Reader): void {
    const isNeeded = reader.opening > 0 || reader.streams.length > 0;
    if (isNeeded || this.#readers.get(reader.username) !== reader) return;
    this.#readers.delete(reader.username);
    reader.close();
    this.#options.roster.left(reader.username);
    if (this.#readers.size === 0) this.#broadcasts.close();
  }

  #served(asked: PresenceMode): PresenceMode {
    const { roster, limits } = this.#options;
    return asked === 'all' && roster.total() > limits.presenceFanoutLimit ? 'count' : asked;
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const waitMs = this.#restUntilMs - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#flush());
    else setTimeout(() => this.#flush(), waitMs);
  }

  #flush(): void {
    this.#isScheduled = false;
    const startedAtMs = performance.now();
    const { tail } = this.#broadcasts;
    const most = bytesOfTurn(this.#options.limits.maxStreamBytes, this.#audience);
    const broadcasts = tail.take(most);
    const arrived = this.#arrived;
    const presence = this.#presence;
    this.#arrived = new Set();
    this.#presence = undefined;
    if (this.#readers.size === 0) return;
    for (const reader of arrived) reader.gather(most);
    const turn = createTurn(broadcasts, tail.frontier, presence);
    const readers = turn.shared || presence ? this.#readers.values() : arrived;
    let [deliveries, audience] = [0, 0];
    for (const reader of readers) {
      audience += reader.streams.length;
      for (const stream of reader.streams) deliveries += feed(stream, reader, turn);
    }
    if (turn.shared) this.#audience = Math.max(1, audience);
    for (const reader of arrived) {
      reader.settle();
      if (reader.tail.hasMore) this.#home.arrived(reader);
    }
    this.#restUntilMs = restAfter(startedAtMs);
    if (tail.hasMore) this.#schedule();
    this.#options.counted('deliveries', deliveries);
  }

  #tick(): void {
    const now = this.#options.store.now();
    const monotonicMs = performance.now();
    this.#second = (this.#second + 1) % this.#options.heartbeatSeconds;
    for (const { streams } of this.#readers.values()) {
      for (let i = streams.length - 1; i >= 0; i -= 1) {
        const stream = streams[i]!; // from the end: one that ends leaves the list
        if (stream.expiresAtMs <= now) stream.end('expired');
        else if (stream.slot % STALLED_EVERY !== this.#second % STALLED_EVERY) continue;
        else if (stream.isStalled(monotonicMs)) stream.end('slow');
        else if (stream.slot === this.#second) stream.heartbeat();
      }
    }
  }
}
