/**
 * One device that listens, as an EventSource would: it comes back with the last id that it saw, after the time that the
 * server asked for, and it never gives up. What it was told is recorded; nothing is dropped or put in order here.
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
  /** The node that it listens to, while it does. */
  url(): string | undefined;
  /** Takes nothing for a while; the connection stays. */
  pause(ms: number): void;
  /** Goes away without a word, and comes back by another connection: the server still sees the old one. */
  abandon(): void;
  /** Ends its stream, and comes back with the same id after a while. */
  rest(ms: number): void;
  /** The newest direct message that it was sent by somebody else. */
  newest: string | undefined;
  /** Who it believes to be online, if it asked to be told. */
  watch: Watch | undefined;
  close(): void;
};

/** Twice the heartbeat: the contract's advice when to take a stream for dead. */
const DEAD_AFTER_MS = 50_000;
const FIRST_RETRY_MS = 1_000;
const AT_ONCE_MS = 100;

export function startReader(options: {
  client: Client;
  session: Session;
  name: string;
  now: () => number;
  /** Only some are told of presence: it goes to everybody. */
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

  function hear(kind: string | undefined, text: string): void {
    const data = JSON.parse(text);
    const common = { atMs: now(), stream };
    if (kind === 'ready' || kind === 'presence') watch?.hear(kind, data);
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

  /** Resolves when the stream is over, with true when it may be tried again at once. */
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
      const askedAtMs = performance.now();
      const answered = (status: number) =>
        client.asked({
          ...{ url: to, what: 'GET /v1/events', atMs: askedAtMs, status },
          tookMs: performance.now() - askedAtMs,
        });
      let isOver = false;
      const end = (atOnce: boolean) => {
        isOver = true;
        clearTimeout(dead);
        resolve(atOnce);
      };
      const giveUp = () => {
        if (!response) answered(0);
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
          hear(event.event, event.data);
        },
        onRetry: (ms) => {
          retryMs = ms;
        },
      });
      request.on('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
      request.on('response', (answer) => {
        response = answer;
        answered(answer.statusCode ?? 0);
        answer.on('error', () => {});
        if (answer.statusCode === 401) {
          session.renew().then(
            () => end(true),
            () => end(false),
          );
          answer.resume();
          return;
        }
        answer.on('close', () => end(false));
        if (answer.statusCode !== 200) {
          answer.resume();
          return;
        }
        answer.setEncoding('utf8').on('data', (chunk: string) => {
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
      const mayTryAtOnce = await listen(client.target());
      if (isOpen && restMs === 0) brokenAtMs ??= now();
      if (isOpen) record({ atMs: now(), stream, kind: 'end' });
      isOpen = false;
      url = undefined;
      response = undefined;
      if (!isClosed) await sleep(restMs || (mayTryAtOnce ? AT_ONCE_MS : retryMs));
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
