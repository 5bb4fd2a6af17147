/** One request for the event stream, until it ends or is abandoned. */
import http from 'node:http';
import { createParser } from 'eventsource-parser';
import { type Client, GIVE_UP_MS } from './client.ts';
import type { Session } from './session.ts';

export type ConnectionOptions = {
  client: Client;
  session: Session;
  url: string;
  presence: 'all' | 'off';
  lastEventId: string | undefined;
  onEvent(id: string | undefined, kind: string | undefined, data: string): void;
  onRetry(ms: number): void;
};

/** Twice the heartbeat, after which the contract advises to treat a stream as dead. */
const DEAD_AFTER_MS = 50_000;

export class Connection {
  /** Resolves when the stream has ended; with true if the reader may reconnect immediately. */
  readonly ended: Promise<boolean>;
  readonly url: string;
  readonly #options: ConnectionOptions;
  readonly #request: http.ClientRequest;
  readonly #requestedAtMs = performance.now();
  #resolveEnded: (mayReconnectNow: boolean) => void = () => {};
  #response: http.IncomingMessage | undefined;
  #deadTimer = setTimeout(() => this.#giveUp(), GIVE_UP_MS);
  #isOver = false;

  constructor(options: ConnectionOptions) {
    const { url, presence, session, lastEventId } = options;
    this.#options = options;
    this.url = url;
    this.ended = new Promise((resolve) => {
      this.#resolveEnded = resolve;
    });
    this.#request = http.get(`${url}/v1/events?presence=${presence}`, {
      agent: false,
      headers: {
        Authorization: `Bearer ${session.token}`,
        ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }),
      },
    });
    this.#request.on('error', (error: NodeJS.ErrnoException) => this.#end(error.code === 'ECONNREFUSED'));
    this.#request.on('response', (response) => this.#receive(response));
  }

  /** Stops reading for a while. */
  pause(ms: number): void {
    this.#response?.pause();
    setTimeout(() => this.#response?.resume(), ms);
  }

  /** Stops reading without closing the connection, which the server still considers open. */
  abandon(): void {
    this.#response?.pause();
    this.#end(true);
  }

  destroy(): void {
    this.#request.destroy();
  }

  #end(mayReconnectNow: boolean): void {
    this.#isOver = true;
    clearTimeout(this.#deadTimer);
    this.#resolveEnded(mayReconnectNow);
  }

  #giveUp(): void {
    if (!this.#response) this.#recordCall(0);
    this.#request.destroy(new Error('dead'));
  }

  #recordCall(status: number): void {
    const { client, url } = this.#options;
    const atMs = this.#requestedAtMs;
    client.onCall({ url, what: 'GET /v1/events', atMs, status, tookMs: performance.now() - atMs });
  }

  #receive(response: http.IncomingMessage): void {
    this.#response = response;
    this.#recordCall(response.statusCode ?? 0);
    response.on('error', () => {});
    if (response.statusCode === 200) {
      this.#read(response);
    } else if (response.statusCode === 401) {
      response.resume();
      this.#options.session.renew().then(
        () => this.#end(true),
        () => this.#end(false),
      );
      return;
    } else {
      response.resume();
    }
    response.on('close', () => this.#end(false));
  }

  #read(response: http.IncomingMessage): void {
    const { onEvent, onRetry } = this.#options;
    const parser = createParser({ onEvent: ({ id, event, data }) => onEvent(id, event, data), onRetry });
    response.setEncoding('utf8').on('data', (chunk: string) => {
      if (this.#isOver) return;
      clearTimeout(this.#deadTimer);
      this.#deadTimer = setTimeout(() => this.#giveUp(), DEAD_AFTER_MS);
      parser.feed(chunk);
    });
  }
}
