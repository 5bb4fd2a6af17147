/** A client of the event stream that is independent of Parley's code: node:http and eventsource-parser. */
import http from 'node:http';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { closedDocument } from './closed.ts';
import { within } from './patience.ts';

// biome-ignore lint/suspicious/noExplicitAny: tests look into the data freely; its shape is validated on arrival
type Data = any;
export type StreamEvent = { kind: string; id: string | undefined; data: Data };

const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
ajv.addSchema({ $id: 'contract', components: closedDocument.components });
const validate = ajv.compile({ $ref: 'contract#/components/schemas/StreamEvent' });

const conforms = (data: unknown): boolean => validate(data);

export type StreamOptions = {
  lastEventId?: string;
  presence?: string;
  query?: Record<string, string>;
  agent?: http.Agent;
};

export async function openStream(
  url: string,
  token: string | undefined,
  options: StreamOptions = {},
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
  return new StreamClient(request, response, options.lastEventId);
}

export class StreamClient {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  /** Everything received so far, including events that `next` skipped. */
  readonly events: StreamEvent[] = [];
  retryMs: number | undefined;
  /** The id that an EventSource would send when it reconnects. */
  lastEventId: string | undefined;
  isClosed = false;
  raw = '';
  readonly #request: http.ClientRequest;
  readonly #response: http.IncomingMessage;
  /** Called when an event arrives, and when the stream closes. */
  readonly #waiting: (() => void)[] = [];
  /** The number of events that `next` has returned or skipped. */
  #read = 0;

  constructor(request: http.ClientRequest, response: http.IncomingMessage, lastEventId: string | undefined) {
    this.status = response.statusCode ?? 0;
    this.headers = response.headers;
    this.lastEventId = lastEventId;
    this.#request = request;
    this.#response = response;
    const parser = createParser({
      onEvent: (event) => this.#receive(event),
      onRetry: (ms) => {
        this.retryMs = ms;
      },
    });
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      this.raw += chunk;
      parser.feed(chunk);
    });
    response.on('close', () => {
      this.isClosed = true;
      this.#wake();
    });
    response.on('error', () => {});
  }

  /** The next event of this kind that has not been returned yet; others in between are skipped. */
  async next(kind: string, withinMs = 10_000): Promise<StreamEvent> {
    const deadline = Date.now() + within(withinMs);
    for (;;) {
      while (this.#read < this.events.length) {
        const event = this.events[this.#read++]!;
        if (event.kind === kind) return event;
      }
      const remainingMs = deadline - Date.now();
      if (remainingMs <= 0)
        throw new Error(
          `no ${kind} within ${withinMs} ms; received: ${this.events.map((each) => each.kind)}`,
        );
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
        setTimeout(resolve, remainingMs);
      });
    }
  }

  messages(): Data[] {
    return this.events.filter(({ kind }) => kind === 'dm' || kind === 'broadcast').map(({ data }) => data);
  }

  pause(): void {
    this.#response.pause();
  }

  resume(): void {
    this.#response.resume();
  }

  close(): void {
    this.#request.destroy();
  }

  #receive(event: EventSourceMessage): void {
    const data: Data = JSON.parse(event.data);
    if (!conforms(data)) throw new Error(`not in the contract: ${event.data.slice(0, 300)}`);
    if (event.event !== data.kind) throw new Error(`event ${event.event} carries ${data.kind}`);
    if (event.id !== undefined) this.lastEventId = event.id;
    this.events.push({ kind: data.kind, id: event.id, data });
    this.#wake();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
