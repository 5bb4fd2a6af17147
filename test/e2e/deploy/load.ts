/** A small load for a fleet of nodes behind a proxy: sends with keys, and streams that reconnect as an EventSource does. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openStream, type StreamClient, type StreamEvent } from '../../kit/stream.ts';

/** What an EventSource uses until the server sends `retry:`. */
const DEFAULT_RETRY_MS = 3_000;

type Reading = {
  username: string;
  /** Ids of the messages in the order of their arrival, over all connections. */
  broadcasts: string[];
  dms: string[];
  openings: number[];
  gaps: unknown[];
  /** The time from the end of each connection to the next `ready`, in milliseconds. */
  absencesMs: number[];
};

export type Reader = Reading & { stop(): void };

/** Reads until `stop`. Any status but 200 ends it permanently, as it ends an EventSource. */
export function startReader(url: string, account: { username: string; token: string }): Reader {
  const reading: Reading = {
    username: account.username,
    ...{ broadcasts: [], dms: [], openings: [], gaps: [], absencesMs: [] },
  };
  let current: StreamClient | undefined;
  let isStopped = false;
  let lastEventId: string | undefined;
  let retryMs = DEFAULT_RETRY_MS;
  let endedAtMs: number | undefined;

  async function readOnce(): Promise<boolean> {
    const opened = await openStream(url, account.token, {
      presence: 'off',
      ...(lastEventId !== undefined && { lastEventId }),
    }).catch(() => undefined);
    if (!opened) return true; // a network error: an EventSource comes back
    current = opened;
    reading.openings.push(opened.status);
    if (opened.status !== 200) return false;
    for (let read = 0; !isStopped; ) {
      for (const event of opened.events.slice(read)) receive(event);
      read = opened.events.length;
      lastEventId = opened.lastEventId ?? lastEventId;
      retryMs = opened.retryMs ?? retryMs;
      if (opened.isClosed && opened.events.length === read) break;
      await sleep(10);
    }
    opened.close();
    endedAtMs ??= performance.now();
    return true;
  }

  function receive({ kind, data }: StreamEvent): void {
    if (kind === 'ready' && endedAtMs !== undefined) {
      reading.absencesMs.push(performance.now() - endedAtMs);
      endedAtMs = undefined;
    } else if (kind === 'gap') reading.gaps.push(data);
    else if (kind === 'broadcast') reading.broadcasts.push(data.id);
    else if (kind === 'dm' && data.to === account.username) reading.dms.push(data.id);
  }

  void (async () => {
    while (!isStopped && (await readOnce())) await sleep(isStopped ? 0 : retryMs);
  })();
  return Object.assign(reading, {
    stop: () => {
      isStopped = true;
      current?.close();
    },
  });
}

/** `status` is 0 if there was no response. */
export type Sent = { status: number; id: string; to: string | undefined; tookMs: number };

async function sendOne(url: string, token: string, to: string | undefined, text: string): Promise<Sent> {
  const startedAt = performance.now();
  const path = to === undefined ? '/v1/broadcasts' : `/v1/dm/${to}`;
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    'Idempotency-Key': randomUUID(),
  };
  const request = {
    method: 'POST',
    headers,
    body: JSON.stringify({ text }),
    signal: AbortSignal.timeout(10_000),
  };
  const result = await fetch(url + path, request).then(
    async (response) => ({ status: response.status, body: await response.text() }),
    (error: Error) => ({ status: 0, body: String(error.cause ?? error) }),
  );
  const id = result.status === 201 ? JSON.parse(result.body).id : result.body;
  return { status: result.status, id, to, tookMs: performance.now() - startedAt };
}

/** Sends one message after another, in turns to everybody and to each of `names`, until it is stopped. */
export function startSender(url: string, token: string, names: string[], everyMs: number) {
  const sent: Sent[] = [];
  let isStopped = false;
  const done = (async () => {
    for (let count = 0; !isStopped; count += 1) {
      const to = count % 2 === 0 ? undefined : names[((count - 1) / 2) % names.length];
      sent.push(await sendOne(url, token, to, `message ${count}`));
      await sleep(everyMs);
    }
  })();
  return {
    sent,
    stop: async (): Promise<void> => {
      isStopped = true;
      await done;
    },
  };
}
