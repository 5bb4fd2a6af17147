/**
 * One device with a stream. It behaves like an EventSource: it reconnects with the last event id after the retry time of
 * the server and never gives up. It records all events as received, without dropping or reordering any.
 */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';
import { type Client, GIVE_UP_MS } from './client.ts';
import type { ReaderEvent, ReaderHistory } from './history.ts';
import type { Session } from './session.ts';
import type { Watch } from './watch.ts';

export type Reader = {
  history: ReaderHistory;
  session: Session;
  isOpen(): boolean;
  /** The node of the open stream. */
  url(): string | undefined;
  /** Stops reading for a while; the connection stays open. */
  pause(ms: number): void;
  /** Opens a new connection without closing the old one, which the server still considers open. */
  abandon(): void;
  /** Closes the stream and reconnects with the same id after a while. */
  rest(ms: number): void;
  /** The newest direct message received from another account. */
  newest: string | undefined;
  /** Its view of who is online, if it watches presence. */
  watch: Watch | undefined;
  close(): void;
};

/** Twice the heartbeat, after which the contract advises to treat a stream as dead. */
const DEAD_AFTER_MS = 50_000;
const FIRST_RETRY_MS = 1_000;
const IMMEDIATE_MS = 100;

export function startReader(options: {
  client: Client;
  session: Session;
  name: string;
  now: () => number;
  /** Set for a few readers only, because presence events go to all watchers. */
  watch?: Watch | undefined;
}): Reader {
  const { client, session, name, now, watch } = options;
  const history: ReaderHistory = { name, username: session.username, sids: [], events: [], breaks: [] };
  let lastEventId: string | undefined;
  let retryMs = FIRST_RETRY_MS;
  let stream = 0;
  let url: string | undefined;
  let isOpen = false;
  let isClosed = false;
  let brokenAtMs: number | undefined;
  let restMs = 0;
  let current: http.ClientRequest | undefined;
  let response: http.IncomingMessage | undefined;
  let abandon: (() => void) | undefined;
  const abandoned: http.ClientRequest[] = [];

  const record = (event: ReaderEvent) => void history.events.push(event);

  function handle(kind: string | undefined, text: string): void {
    const data = JSON.parse(text);
    const common = { atMs: now(), stream };
    if (kind === 'ready' || kind === 'presence') watch?.apply(kind, data);
    if (kind === 'dm' || kind === 'broadcast') {
      const { id, seq, from, to } = data;
      record({
        ...common,
        kind,
        id,
        seq,
        from,
        ...(kind === 'dm' && { to }),
        text: data.text.split(' ', 1)[0],
      });
      if (kind === 'dm' && from !== session.username) reader.newest = id;
    } else if (kind === 'gap') {
      const { log, from, to, reason } = data;
      record({ ...common, kind, log, from, to, reason });
    } else if (kind === 'ready') {
      isOpen = true;
      record({ ...common, kind, sid: session.sid, hasGap: data.gap });
      if (brokenAtMs !== undefined) history.breaks.push({ atMs: brokenAtMs, backAtMs: now() });
      brokenAtMs = undefined;
    }
  }

  /** Resolves when the stream ends; with true if it may reconnect immediately. */
  function listen(to: string): Promise<boolean> {
    url = to;
    stream += 1;
    if (!history.sids.includes(session.sid)) history.sids.push(session.sid);
    return new Promise((resolve) => {
      const request = http.get(`${to}/v1/events?presence=${watch ? 'all' : 'off'}`, {
        agent: false,
        headers: {
          Authorization: `Bearer ${session.token}`,
          ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
        },
      });
      current = request;
      const requestedAtMs = performance.now();
      const recordCall = (status: number) =>
        client.onCall({
          ...{ url: to, what: 'GET /v1/events', atMs: requestedAtMs, status },
          tookMs: performance.now() - requestedAtMs,
        });
      let isOver = false;
      const end = (mayReconnectNow: boolean) => {
        isOver = true;
        clearTimeout(dead);
        resolve(mayReconnectNow);
      };
      const giveUp = () => {
        if (!response) recordCall(0);
        request.destroy(new Error('dead'));
      };
      let dead = setTimeout(giveUp, GIVE_UP_MS);
      abandon = () => {
        response?.pause();
        abandoned.push(request);
        end(true);
      };
      const parser = createParser({
        onEvent: (event) => {
          if (event.id !== undefined) lastEventId = event.id;
          handle(event.event, event.data);
        },
        onRetry: (ms) => {
          retryMs = ms;
        },
      });
      request.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
      request.on('response', (incoming) => {
        response = incoming;
        recordCall(incoming.statusCode ?? 0);
        incoming.on('error', () => {});
        if (incoming.statusCode === 401) {
          session.renew().then(
            () => end(true),
            () => end(false),
          );
          incoming.resume();
          return;
        }
        incoming.on('close', () => end(false));
        if (incoming.statusCode !== 200) {
          incoming.resume();
          return;
        }
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          if (isOver) return;
          clearTimeout(dead);
          dead = setTimeout(giveUp, DEAD_AFTER_MS);
          parser.feed(chunk);
        });
      });
    });
  }

  async function run(): Promise<void> {
    while (!isClosed) {
      const mayReconnectNow = await listen(client.target());
      if (isOpen && restMs === 0) brokenAtMs ??= now();
      if (isOpen) record({ atMs: now(), stream, kind: 'end' });
      isOpen = false;
      url = undefined;
      response = undefined;
      if (!isClosed) await sleep(restMs || (mayReconnectNow ? IMMEDIATE_MS : retryMs));
      restMs = 0;
    }
  }

  const reader: Reader = {
    history,
    session,
    newest: undefined,
    watch,
    isOpen: () => isOpen,
    url: () => url,
    pause: (ms) => {
      const paused = response;
      paused?.pause();
      setTimeout(() => paused?.resume(), ms);
    },
    abandon: () => abandon?.(),
    rest: (ms) => {
      if (!isOpen) return;
      restMs = ms;
      current?.destroy();
    },
    close: () => {
      isClosed = true;
      for (const each of abandoned) each.destroy();
      current?.destroy();
    },
  };
  void run();
  return reader;
}
