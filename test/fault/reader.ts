/**
 * One device with a stream. It behaves like an EventSource: it reconnects with the last event id after the retry time of
 * the server and never gives up. It records all events as received, without dropping or reordering any.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import { Connection } from './connection.ts';
import type { ReaderEvent, ReaderHistory } from './history.ts';
import type { Session } from './session.ts';
import type { Watch } from './watch.ts';

export type ReaderOptions = {
  client: Client;
  session: Session;
  name: string;
  now: () => number;
  /** Set for a few readers only, because presence events go to all watchers. */
  watch?: Watch | undefined;
};

const FIRST_RETRY_MS = 1_000;
const IMMEDIATE_MS = 100;

export class Reader {
  readonly history: ReaderHistory;
  readonly session: Session;
  /** Its view of who is online, if it watches presence. */
  readonly watch: Watch | undefined;
  /** The newest direct message received from another account. */
  newest: string | undefined;
  readonly #client: Client;
  readonly #now: () => number;
  /** Connections that this reader has abandoned without closing them. */
  readonly #abandoned: Connection[] = [];
  #connection: Connection | undefined;
  #stream = 0;
  #lastEventId: string | undefined;
  #retryMs = FIRST_RETRY_MS;
  #restMs = 0;
  #brokenAtMs: number | undefined;
  #isOpen = false;
  #isClosed = false;

  constructor({ client, session, name, now, watch }: ReaderOptions) {
    this.history = { name, username: session.username, sids: [], events: [], breaks: [] };
    this.session = session;
    this.watch = watch;
    this.#client = client;
    this.#now = now;
    void this.#run();
  }

  isOpen(): boolean {
    return this.#isOpen;
  }

  /** The node of the open stream. */
  url(): string | undefined {
    return this.#connection?.url;
  }

  /** Stops reading for a while; the connection stays open. */
  pause(ms: number): void {
    this.#connection?.pause(ms);
  }

  /** Opens a new connection without closing the old one, which the server still considers open. */
  abandon(): void {
    if (!this.#connection) return;
    this.#abandoned.push(this.#connection);
    this.#connection.abandon();
  }

  /** Closes the stream and reconnects with the same id after a while. */
  rest(ms: number): void {
    if (!this.#isOpen) return;
    this.#restMs = ms;
    this.#connection?.destroy();
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#abandoned) connection.destroy();
    this.#connection?.destroy();
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const mayReconnectNow = await this.#connect().ended;
      if (this.#isOpen && this.#restMs === 0) this.#brokenAtMs ??= this.#now();
      if (this.#isOpen) this.#record({ atMs: this.#now(), stream: this.#stream, kind: 'end' });
      this.#isOpen = false;
      this.#connection = undefined;
      if (!this.#isClosed) await sleep(this.#restMs || (mayReconnectNow ? IMMEDIATE_MS : this.#retryMs));
      this.#restMs = 0;
    }
  }

  #connect(): Connection {
    this.#stream += 1;
    const { sids } = this.history;
    if (!sids.includes(this.session.sid)) sids.push(this.session.sid);
    this.#connection = new Connection({
      client: this.#client,
      session: this.session,
      url: this.#client.target(),
      presence: this.watch ? 'all' : 'off',
      lastEventId: this.#lastEventId,
      onEvent: (id, kind, data) => {
        if (id !== undefined) this.#lastEventId = id;
        this.#handle(kind, data);
      },
      onRetry: (ms) => {
        this.#retryMs = ms;
      },
    });
    return this.#connection;
  }

  #handle(kind: string | undefined, text: string): void {
    const data = JSON.parse(text);
    const common = { atMs: this.#now(), stream: this.#stream };
    if (kind === 'ready' || kind === 'presence') this.watch?.apply(kind, data);
    if (kind === 'dm' || kind === 'broadcast') {
      const { id, seq, from, to } = data;
      const message = { id, seq, from, ...(kind === 'dm' && { to }), text: data.text.split(' ', 1)[0] };
      this.#record({ ...common, kind, ...message });
      if (kind === 'dm' && from !== this.session.username) this.newest = id;
    } else if (kind === 'gap') {
      const { log, from, to, reason } = data;
      this.#record({ ...common, kind, log, from, to, reason });
    } else if (kind === 'ready') {
      this.#isOpen = true;
      this.#record({ ...common, kind, sid: this.session.sid, hasGap: data.gap });
      if (this.#brokenAtMs !== undefined)
        this.history.breaks.push({ atMs: this.#brokenAtMs, backAtMs: this.#now() });
      this.#brokenAtMs = undefined;
    }
  }

  #record(event: ReaderEvent): void {
    this.history.events.push(event);
  }
}
