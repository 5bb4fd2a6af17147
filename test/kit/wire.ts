/** A network between client and server that tests control, and clients that use it. */
import { onTestFinished } from 'vitest';
import {
  createParley,
  type Parley,
  type ParleyOptions,
  type StreamEvent,
} from '../../clients/sdk/src/index.ts';
import { until } from './app.ts';

type Handler = (request: Request) => Promise<Response>;
export type Wire = {
  fetch: Handler;
  /** All requests so far, such as `POST /v1/login`. */
  requests: string[];
  count(request: string): number;
  /** The next `count` requests that match are answered by `answer` instead of the server. */
  intercept(
    request: string,
    answer: (request: Request, forward: Handler) => Response | Promise<Response>,
    count?: number,
  ): void;
};

export function createWire(): Wire {
  const requests: string[] = [];
  const rules: {
    request: string;
    answer: (request: Request, forward: Handler) => Response | Promise<Response>;
    left: number;
  }[] = [];
  const forward: Handler = (request) => fetch(request);
  return {
    requests,
    count: (request) => requests.filter((each) => each === request).length,
    intercept: (request, answer, count = 1) => void rules.push({ request, answer, left: count }),
    fetch: async (request) => {
      const name = `${request.method} ${new URL(request.url).pathname}`;
      requests.push(name);
      const rule = rules.find((each) => each.request === name && each.left > 0);
      if (!rule) return forward(request);
      rule.left -= 1;
      return rule.answer(request, forward);
    },
  };
}

/** A clock that tests can advance; `sleep` returns immediately and records the time in `slept`. */
export function testClock() {
  const clock = {
    aheadMs: 0,
    slept: [] as number[],
    now: () => Date.now() + clock.aheadMs,
    random: () => 1,
    sleep: async (ms: number) => {
      clock.slept.push(ms);
      await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
  return clock;
}

const password = 'correct horse battery';

/** A client of a registered user who is logged in. */
export async function client(
  node: { url: string },
  username: string,
  options: ParleyOptions = {},
): Promise<Parley> {
  const parley = createParley({ baseUrl: node.url, ...options });
  await parley.register({ username, password });
  const { problem } = await parley.login({ username, password });
  if (problem) throw new Error(problem.detail);
  return parley;
}

export type CollectedEvents = {
  events: StreamEvent[];
  texts(): string[];
  kinds(): string[];
  /** Waits until the text has been received. */
  text(text: string): Promise<void>;
  kind(kind: StreamEvent['kind'], count?: number): Promise<void>;
  ended: Promise<void>;
};

/** Collects the events of a stream until it ends. */
export function collect(stream: AsyncIterable<StreamEvent>): CollectedEvents {
  const events: StreamEvent[] = [];
  const ended = (async () => {
    for await (const event of stream) events.push(event);
  })();
  ended.catch(() => {});
  const texts = () => events.flatMap((event) => ('text' in event ? [event.text] : []));
  const kinds = () => events.map(({ kind }) => kind);
  return {
    ...{ events, texts, kinds, ended },
    text: (text) => until(`received ${text}`, () => texts().includes(text), 15_000),
    kind: (kind, count = 1) =>
      until(`received ${kind}`, () => kinds().filter((each) => each === kind).length >= count, 15_000),
  };
}

/** A signal that aborts when the test ends. */
export function untilTestEnds(): AbortController {
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  return controller;
}

/** A response with this event stream as its body; it stays open unless `end` is set. */
export function eventStream(text: string, { end = false } = {}): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text));
      if (end) controller.close();
    },
  });
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
}

export const eventText = (event: { kind: string; [field: string]: unknown }, id?: string): string =>
  `event: ${event.kind}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(event)}\n\n`;

export const ready = (more: object = {}): string =>
  eventText({
    ...{ kind: 'ready', username: 'bob', resumed: true, gap: false, unread: 0, online: 1 },
    ...{ presence: 'off', heartbeatMs: 25_000, ...more },
  });

export const problem = (status: number, code: string, headers: Record<string, string> = {}): Response =>
  Response.json({ type: '', title: '', status, detail: code, code, requestId: 'x' }, { status, headers });
