/**
 * One open event stream: `replaying → live → closed`, and back to `replaying` whenever its socket does not drain.
 *
 * While replaying it reads the two logs at its own pace and waits for the socket between batches; nothing is queued for
 * it. When it reaches the position of the node's followers it goes live, in the same turn of the event loop as the
 * comparison, and the hub writes to it. Reconnecting after an absence, resuming and falling behind are one mechanism,
 * and a slow client costs at most MAX_STREAM_BYTES and one message.
 */
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { components } from '../contract.d.ts';
import { formatCursor } from '../store/log/cursor.ts';
import { StoreUnavailable } from '../store/redis/client.ts';
import type { ReportError } from '../store/unexpected-errors.ts';
import { Backpressure, type BufferLimits } from './backpressure.ts';
import type { Gap, Replay, ReplayChunk } from './replay.ts';
import { burst, glue, HEARTBEATS, ownBlock, pieces, retryLine } from './sse.ts';

export type PresenceMode = components['schemas']['PresenceMode'];
export type HeartbeatMode = keyof typeof HEARTBEATS;
export type GoodbyeCode = components['schemas']['GoodbyeCode'];
export type Count = 'deliveries' | 'replays' | 'gaps' | 'slow';

/** What the hub provides to each of its streams. */
export type StreamHost = BufferLimits & {
  /** The current online count, for a stream that skipped presence events. */
  presenceTotal(): number;
  count(what: Count, howMany: number): void;
  reportError: ReportError;
  closed(stream: Stream): void;
};

/** Reads until the stream is level are charged to the client that opened it, and wait while its budget is empty. */
export type ReplayBudget = { waitMs(): number; spend(bytes: number): void };

/** Whether a client should reconnect after each code. */
const RECONNECT: Record<GoodbyeCode, boolean> = {
  expired: true,
  revoked: false,
  slow: true,
  shutdown: true,
  replaced: false,
  unavailable: true,
  too_many_requests: true,
};

/** Time for a goodbye to be sent before the socket is destroyed. */
const GOODBYE_MS = 2_000;
const STORE_RETRY_MS = 1_000;
const MAX_WAIT_MS = 1_000;
/** Clients that lost their server together must reconnect spread out, but all within 5 s. */
export const retryMs = (): number => 1_000 + Math.floor(Math.random() * 3_000);

export class Stream {
  state: 'replaying' | 'live' | 'closed' = 'replaying';
  readonly sid: string;
  readonly expiresAtMs: number;
  readonly presence: PresenceMode;
  readonly replay: Replay;
  /** The second of the heartbeat period in which this stream gets its heartbeat. */
  readonly slot: number;
  readonly backpressure: Backpressure;
  readonly #heartbeat: Buffer;
  readonly #host: StreamHost;
  readonly #out: Writable;
  /** Set until the stream has caught up for the first time: later replays are not the fault of the client. */
  #meter: ReplayBudget | undefined;
  #skippedPresence = false;
  #mailbox: Buffer | undefined;

  constructor(
    host: StreamHost,
    out: Writable,
    options: {
      sid: string;
      expiresAtMs: number;
      presence: PresenceMode;
      heartbeat: HeartbeatMode;
      replay: Replay;
      heartbeatSeconds: number;
      meter?: ReplayBudget | undefined;
    },
  ) {
    this.#host = host;
    this.#out = out;
    this.backpressure = new Backpressure(out, host);
    this.sid = options.sid;
    this.expiresAtMs = options.expiresAtMs;
    this.presence = options.presence;
    this.replay = options.replay;
    this.slot = Math.floor(Math.random() * options.heartbeatSeconds);
    this.#heartbeat = HEARTBEATS[options.heartbeat];
    this.#meter = options.meter;
  }

  /** Send `ready` and the gaps; then catch up. */
  start(ready: Buffer, gaps: Gap[]): void {
    this.#out.on('close', () => this.#close());
    this.#host.count('gaps', gaps.length);
    const events = [ready, ...gaps.map((gap) => ownBlock({ kind: 'gap', ...gap }))];
    this.#out.write(Buffer.concat([retryLine(retryMs()), burst(glue(events), formatCursor(this.replay.at))]));
    void this.#catchUp();
  }

  /** Write to a live stream. The caller must have checked that it has room, and must advance the position. */
  feed(written: Buffer | Buffer[]): void {
    this.backpressure.write(written);
  }

  /** The socket does not drain, or the log jumped: replay from the current position. */
  fallBehind(reason: 'slow' | 'jump'): void {
    if (this.state !== 'live') return;
    this.state = 'replaying';
    if (reason === 'slow') this.#host.count('slow', 1);
    void this.#catchUp();
  }

  /** Events without an id that were skipped while replaying: only the latest state is sent afterwards. */
  skip(mailbox: Buffer | undefined, presence: boolean): void {
    if (mailbox) this.#mailbox = mailbox;
    if (presence) this.#skippedPresence = true;
  }

  heartbeat(): void {
    if (this.state !== 'closed' && !this.#out.writableNeedDrain) this.#out.write(this.#heartbeat);
  }

  end(code: GoodbyeCode): void {
    if (this.state === 'closed') return;
    const goodbye = burst(ownBlock({ kind: 'goodbye', code, reconnect: RECONNECT[code] }), undefined);
    this.#out.end(code === 'shutdown' ? Buffer.concat([retryLine(retryMs()), goodbye]) : goodbye);
    setTimeout(() => this.#out.destroy(), GOODBYE_MS).unref();
    this.#close();
  }

  #close(): void {
    if (this.state === 'closed') return;
    this.state = 'closed';
    this.backpressure.release();
    this.#host.closed(this);
  }

  async #catchUp(): Promise<void> {
    while (this.state === 'replaying') {
      const waitMs = this.#meter?.waitMs() ?? 0;
      if (this.#out.writableNeedDrain) await drained(this.#out);
      else if (this.replay.isLevel()) this.#goLive();
      else if (waitMs > 0) await sleep(Math.min(waitMs, MAX_WAIT_MS), undefined, { ref: false });
      else {
        try {
          const batch = await this.replay.next(this.backpressure.room());
          this.#meter?.spend(batch.bytes);
          this.#write(batch);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) {
            this.#out.destroy(); // a bug: the client reconnects
            return this.#host.reportError('a replay', error);
          }
          await sleep(STORE_RETRY_MS, undefined, { ref: false }); // Redis is unavailable; the stream stays open
        }
      }
    }
  }

  /** There is no await between the comparison and this call: the next batch of the hub is exactly what comes next. */
  #goLive(): void {
    this.state = 'live';
    this.#meter = undefined;
    const blocks = [];
    if (this.#mailbox) blocks.push(this.#mailbox);
    if (this.#skippedPresence && this.presence !== 'off') {
      blocks.push(ownBlock({ kind: 'presence', total: this.#host.presenceTotal(), resync: true }));
    }
    this.#mailbox = undefined;
    this.#skippedPresence = false;
    if (blocks.length > 0) this.#out.write(burst(glue(blocks), undefined));
  }

  #write({ blocks, messages, gaps }: ReplayChunk): void {
    if (this.state === 'closed' || blocks.length === 0) return;
    this.#host.count('deliveries', messages);
    this.#host.count('replays', messages);
    this.#host.count('gaps', gaps);
    this.feed(pieces(blocks, formatCursor(this.replay.at)));
  }
}

async function drained(out: Writable): Promise<void> {
  await new Promise<void>((resolve) => {
    const done = () => {
      out.off('drain', done).off('close', done);
      resolve();
    };
    out.on('drain', done).on('close', done);
  });
}
