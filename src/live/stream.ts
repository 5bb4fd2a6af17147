/**
 * One open event stream: `replaying → live → closed`, and back to `replaying` whenever its socket does not drain.
 *
 * While replaying it reads the two logs at its own pace, from where it stands, and waits for the socket between
 * batches; nothing is queued for it. Once it stands where the node's tails stand it goes live, in the same turn of the
 * event loop as the comparison, and is fed by the hub. So catching up after being offline, resuming and being slow are
 * one mechanism, and a slow reader costs at most MAX_STREAM_BYTES.
 */
import type { ServerResponse } from 'node:http';
import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import type { components } from '../contract.d.ts';
import { markOf, type Position } from '../store/logs.ts';
import { type Continuity, type Cursor, continuity, formatCursor } from './cursor.ts';
import { burst, glue, HEARTBEAT, ownBlock, retryLine } from './frame.ts';
import type { FramedPart, Tail } from './tail.ts';

export type LogName = keyof Cursor;
export type PresenceMode = components['schemas']['PresenceMode'];
export type Gap = components['schemas']['Gap'];
export type GoodbyeCode = components['schemas']['GoodbyeCode'];

/** What the hub lends to each of its streams. */
export type StreamHost = {
  maxBytes: number;
  replayLimit: number;
  /** Where the mailbox begins: for a stream whose inbox position turned out worthless. */
  mailboxStart(): Promise<Position>;
  tails: Record<LogName, Tail>;
  /** What a presence event would say now; for a stream that skipped some. */
  presenceTotal(): number;
  counted(what: 'deliveries' | 'replays' | 'gaps' | 'slow', count: number): void;
  closed(stream: Stream): void;
};

/** The codes after which a client should come back. */
const RECONNECT: Record<GoodbyeCode, boolean> = {
  expired: true,
  revoked: false,
  slow: true,
  shutdown: true,
  replaced: false,
};

const HISTORY: Record<LogName, string> = { inbox: '/v1/mailbox', broadcasts: '/v1/broadcasts' };
const BATCH_ENTRIES = 64;
const BATCH_BYTES = 64 * 1024;
/** A reader that takes nothing for so long is told goodbye. */
const STALLED_AFTER_MS = 30_000;
/** How long a goodbye may take to leave before the socket is cut. */
const GOODBYE_MS = 2_000;
const STORE_RETRY_MS = 1_000;
/** A crowd that lost its server must not come back in one instant. */
export const retryMs = (): number => 2_000 + Math.floor(Math.random() * 4_000);

export class Stream {
  state: 'replaying' | 'live' | 'closed' = 'replaying';
  at: Cursor;
  readonly username: string;
  readonly sid: string;
  readonly expiresAtMs: number;
  readonly presence: PresenceMode;
  /** In which second of the heartbeat period it is this stream's turn. */
  readonly slot: number;
  /** A stream that began with the mailbox: up to here own copies are no news, and no limit applies. Else 0. */
  #mailboxUntil: number;
  readonly #host: StreamHost;
  readonly #res: ServerResponse;
  #skippedPresence = false;
  #mailbox: Buffer | undefined;
  #stalled: { length: number; sinceMs: number } | undefined;

  constructor(
    host: StreamHost,
    res: ServerResponse,
    options: {
      username: string;
      sid: string;
      expiresAtMs: number;
      presence: PresenceMode;
      at: Cursor;
      mailboxUntil: number;
    },
  ) {
    this.#host = host;
    this.#res = res;
    this.username = options.username;
    this.sid = options.sid;
    this.expiresAtMs = options.expiresAtMs;
    this.presence = options.presence;
    this.at = options.at;
    this.#mailboxUntil = options.mailboxUntil;
    this.slot = Math.floor(Math.random() * 25);
  }

  /** Check both positions against their logs before the first byte, so that `ready` can say what is missing. */
  async verify(): Promise<Gap[]> {
    const gaps = await Promise.all([this.#verify('inbox'), this.#verify('broadcasts')]);
    return gaps.flat();
  }

  /** Send the head, `ready` and the gaps; then catch up. */
  start(blocks: Buffer[], gaps: Gap[]): void {
    this.#res.on('close', () => this.#close());
    this.#res.writeHead(200, {
      'Content-Type': 'text/event-stream',
      'Cache-Control': 'no-cache, no-transform',
      'X-Accel-Buffering': 'no',
    });
    this.#host.counted('gaps', gaps.length);
    const events = [...blocks, ...gaps.map((gap) => ownBlock({ kind: 'gap', ...gap }))];
    this.#res.write(Buffer.concat([retryLine(retryMs()), burst(glue(events), formatCursor(this.at))]));
    void this.#catchUp();
  }

  /** Whether `bytes` more fit; something always fits into an empty buffer. */
  hasRoom(bytes: number): boolean {
    const queued = this.#res.writableLength;
    return queued === 0 || queued + bytes <= this.#host.maxBytes;
  }

  /** Write to a live stream; the hub has asked for room and moves the position. */
  feed(bytes: Buffer): void {
    this.#res.write(bytes);
  }

  /** The socket does not drain, or the log jumped: read on from where this stream stands. */
  fallBehind(reason: 'slow' | 'jump'): void {
    if (this.state !== 'live') return;
    this.state = 'replaying';
    if (reason === 'slow') this.#host.counted('slow', 1);
    void this.#catchUp();
  }

  /** Events without an id that came while this stream was replaying: only their outcome is told. */
  skip(mailbox: Buffer | undefined, presence: boolean): void {
    if (mailbox) this.#mailbox = mailbox;
    if (presence) this.#skippedPresence = true;
  }

  heartbeat(): void {
    if (this.state !== 'closed' && !this.#res.writableNeedDrain) this.#res.write(HEARTBEAT);
  }

  /** Called every second. True when nothing has left for too long. */
  isStalled(nowMs: number): boolean {
    const length = this.#res.writableLength;
    if (length === 0) this.#stalled = undefined;
    else if (!this.#stalled || length < this.#stalled.length) this.#stalled = { length, sinceMs: nowMs };
    else return nowMs - this.#stalled.sinceMs > STALLED_AFTER_MS;
    return false;
  }

  end(code: GoodbyeCode): void {
    if (this.state === 'closed') return;
    const goodbye = burst(ownBlock({ kind: 'goodbye', code, reconnect: RECONNECT[code] }), undefined);
    this.#res.end(code === 'shutdown' ? Buffer.concat([retryLine(retryMs()), goodbye]) : goodbye);
    setTimeout(() => this.#res.destroy(), GOODBYE_MS).unref();
    this.#close();
  }

  #close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.#host.closed(this);
  }

  #isLevel(): boolean {
    const { tails } = this.#host;
    return (
      stands(this.at.inbox, tails.inbox.frontier) && stands(this.at.broadcasts, tails.broadcasts.frontier)
    );
  }

  async #catchUp(): Promise<void> {
    while (this.state === 'replaying') {
      if (this.#res.writableNeedDrain) await drained(this.#res);
      else if (this.#isLevel()) this.#goLive();
      else {
        try {
          await this.#advance('inbox');
          await this.#advance('broadcasts');
        } catch {
          await sleep(STORE_RETRY_MS, undefined, { ref: false }); // Redis is away; the stream is not
        }
      }
    }
  }

  /** No await between the comparison and this: what the hub flushes next is exactly what comes next. */
  #goLive(): void {
    this.state = 'live';
    const blocks = [];
    if (this.#mailbox) blocks.push(this.#mailbox);
    if (this.#skippedPresence && this.presence !== 'off') {
      blocks.push(ownBlock({ kind: 'presence', total: this.#host.presenceTotal(), resync: true }));
    }
    this.#mailbox = undefined;
    this.#skippedPresence = false;
    if (blocks.length > 0) this.#res.write(burst(glue(blocks), undefined));
  }

  /** One batch of one log. */
  async #advance(name: LogName): Promise<void> {
    const tail = this.#host.tails[name];
    if (this.state !== 'replaying' || stands(this.at[name], tail.frontier)) return;
    const part = await tail.from(this.at[name].seq, BATCH_ENTRIES);
    if (this.state !== 'replaying') return;
    const gap = await this.#judge(name, part);
    if (gap) {
      this.#host.counted('gaps', 1);
      this.#write([ownBlock({ kind: 'gap', ...gap })], 0);
      return;
    }
    const { seq } = this.at[name];
    const fresh = part.entries.filter((entry) => entry.seq > seq && entry.seq <= tail.frontier.seq);
    if (fresh.length === 0) {
      await setImmediate(); // ahead of this node: its own wake-up is on the way
      return;
    }
    let bytes = 0;
    const blocks = [];
    let last = fresh[0]!;
    for (const entry of fresh) {
      if (bytes > BATCH_BYTES) break;
      last = entry;
      if (entry.origin === this.sid) continue;
      if (name === 'inbox' && entry.origin !== '-' && entry.seq <= this.#mailboxUntil) continue;
      blocks.push(entry.block);
      bytes += entry.block.length;
    }
    this.at = { ...this.at, [name]: { epoch: part.head.epoch, seq: last.seq, mark: markOf(last.message) } };
    this.#write(blocks, blocks.length);
  }

  #write(blocks: Buffer[], deliveries: number): void {
    if (this.state === 'closed' || blocks.length === 0) return;
    this.#host.counted('deliveries', deliveries);
    this.#host.counted('replays', deliveries);
    this.#res.write(burst(glue(blocks), formatCursor(this.at)));
  }

  async #verify(name: LogName): Promise<Gap[]> {
    const gaps: Gap[] = [];
    const { frontier } = this.#host.tails[name];
    if (stands(this.at[name], frontier)) return gaps;
    const gap = await this.#judge(name, await this.#host.tails[name].from(this.at[name].seq, 1));
    if (gap) gaps.push(gap);
    const { seq, epoch } = this.at[name];
    const oldest = frontier.seq - this.#host.replayLimit;
    if (seq < oldest && !(name === 'inbox' && this.#mailboxUntil > 0)) {
      gaps.push({ log: name, from: seq + 1, to: oldest, reason: 'replay_limit', history: HISTORY[name] });
      this.at = { ...this.at, [name]: { epoch: epoch || frontier.epoch, seq: oldest, mark: '' } };
    }
    return gaps;
  }

  /** Where a log does not continue what this stream has seen: move on to what there is, and word the gap. */
  async #judge(name: LogName, part: FramedPart): Promise<Gap | undefined> {
    const at = this.at[name];
    const found: Continuity = continuity(at, part, markOf);
    if (found === 'whole') return undefined;
    if (found === 'trimmed') {
      const to = part.first - 1;
      this.at = { ...this.at, [name]: { epoch: part.head.epoch, seq: to, mark: '' } };
      return { log: name, from: at.seq + 1, to, reason: found, history: HISTORY[name] };
    }
    if (name === 'inbox') this.#mailboxUntil = part.head.seq;
    const start = name === 'inbox' ? await this.#host.mailboxStart() : this.#host.tails.broadcasts.frontier;
    this.at = { ...this.at, [name]: start };
    return { log: name, from: null, to: part.head.seq || null, reason: found, history: HISTORY[name] };
  }
}

function stands(at: Position, frontier: Position): boolean {
  if (at.seq !== frontier.seq) return false;
  return at.seq === 0 || (at.epoch === frontier.epoch && (at.mark === '' || at.mark === frontier.mark));
}

async function drained(res: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      res.off('drain', done).off('close', done);
      resolve();
    };
    res.on('drain', done).on('close', done);
  });
}
