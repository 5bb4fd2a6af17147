/** A client of the event stream that is independent of Parley's code: node:http and eventsource-parser. */
import http from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { closedDocument } from './closed.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into the data freely; its shape is validated on arrival
type Data = any;
export type StreamEvent = { kind: string; id: string | undefined; data: Data };

export type StreamClient = {
  status: number;
  headers: http.IncomingHttpHeaders;
  /** Everything received so far, including events that `next` skipped. */
  events: StreamEvent[];
  retryMs: number | undefined;
  /** The id that an EventSource would send when it reconnects. */
  lastEventId: string | undefined;
  isClosed: boolean;
  raw: string;
  /** The next event of this kind that has not been returned yet; others in between are skipped. */
  next(kind: string, withinMs?: number): Promise<StreamEvent>;
  messages(): Data[];
  pause(): void;
  resume(): void;
  close(): void;
};

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', components: closedDocument.components });
const validate = ajv.compile({ $ref: 'contract#/components/schemas/StreamEvent' });

const fits = (data: unknown): boolean => validate(data);

export async function openStream(
  url: string,
  token: string | undefined,
  options: {
    lastEventId?: string;
    presence?: string;
    query?: Record<string, string>;
    agent?: http.Agent;
  } = {},
): Promise<StreamClient> {
  const query = new URLSearchParams({
    ...(options.presence && { presence: options.presence }),
    ...options.query,
  });
  const request = http.get(`${url}/v1/events?${query}`, {
    agent: options.agent ?? false,
    headers: {
      ...(token !== undefined && { Authorization: `Bearer ${token}` }),
      ...(options.lastEventId !== undefined && { 'Last-Event-ID': options.lastEventId }),
    },
  });
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    request.on('response', resolve).on('error', reject);
  });
  request.on('error', () => {});
  const waiting: (() => void)[] = [];
  const wake = () => {
    for (const each of waiting.splice(0)) each();
  };
  let taken = 0;
  const client: StreamClient = {
    status: response.statusCode ?? 0,
    headers: response.headers,
    events: [],
    retryMs: undefined,
    lastEventId: options.lastEventId,
    isClosed: false,
    raw: '',
    async next(kind, withinMs = 5_000) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        while (taken < client.events.length) {
          const event = client.events[taken++]!;
          if (event.kind === kind) return event;
        }
        const left = deadline - Date.now();
        if (left <= 0)
          throw new Error(
            `no ${kind} within ${withinMs} ms; came: ${client.events.map((each) => each.kind)}`,
          );
        await new Promise<void>((resolve) => {
          waiting.push(resolve);
          setTimeout(resolve, left);
        });
      }
    },
    messages: () =>
      client.events.filter(({ kind }) => kind === 'dm' || kind === 'broadcast').map(({ data }) => data),
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close: () => void request.destroy(),
  };
  const parser = createParser({
    onEvent: (event: EventSourceMessage) => {
      const data: Data = JSON.parse(event.data);
      if (!fits(data)) throw new Error(`not in the contract: ${event.data.slice(0, 300)}`);
      if (event.event !== data.kind) throw new Error(`event ${event.event} carries ${data.kind}`);
      if (event.id !== undefined) client.lastEventId = event.id;
      client.events.push({ kind: data.kind, id: event.id, data });
      wake();
    },
    onRetry: (ms) => {
      client.retryMs = ms;
    },
  });
  response.setEncoding('utf8');
  response.on('data', (chunk: string) => {
    client.raw += chunk;
    parser.feed(chunk);
  });
  response.on('close', () => {
    client.isClosed = true;
    wake();
  });
  response.on('error', () => {});
  return client;
}
