/** A connection: its requests in flight, pausing its reads, and detecting responses that do not drain. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Budget } from './budgets.ts';
import { Semaphore } from './semaphore.ts';

/** A request and its response on a connection. */
export type Exchange = {
  readonly res: ServerResponse;
  readonly startedAtMs: number;
  readonly isStream: boolean;
  /** The connection has closed. */
  disconnected(): void;
};

const NONE: Exchange[] = [];

/** Pipelined requests that may wait on one connection. */
const MAX_WAITING = 120;
/** After this many consecutive rejections, a further pipelined request closes the connection. */
const MAX_REJECTIONS = 8;
/** A connection is closed if no byte of a response drains for this long, or not all of it within the second time. */
const STUCK_MS = 30_000;
const MAX_RESPONSE_MS = 300_000;

/** Node itself resumes a socket to drain the rest of a body. */
function pauseAgain(this: Socket): void {
  this.pause();
}

export class Connection {
  readonly socket: Socket & { _handle?: { writeQueueSize?: number } | null };
  /** The networks that it counts towards; undefined for a connection of a trusted proxy. */
  budgets: Budget[] | undefined;
  /** No further request on it gets a response. */
  isOver = false;
  isPaused = false;
  /** The number of consecutive rejections. */
  rejections = 0;
  semaphore: Semaphore | undefined;
  readonly #inFlight: number;
  #holds = 0;
  #open: Exchange[] = [];
  #unsent = 0;
  #unsentSinceMs = 0;

  constructor(socket: Socket, budgets: Budget[] | undefined, inFlight: number) {
    this.socket = socket;
    this.budgets = budgets;
    this.#inFlight = inFlight;
  }

  /** False if too many requests wait, or follow rejected ones: they do not get a rejection each. */
  begin(exchange: Exchange): boolean {
    this.semaphore ??= new Semaphore(this.#inFlight, MAX_WAITING);
    if (this.#open.length > 0 && this.rejections >= MAX_REJECTIONS) return false;
    return this.#open.push(exchange) <= this.#inFlight + MAX_WAITING || this.#inFlight === 0;
  }

  end(exchange: Exchange): void {
    if (this.#open[0] === exchange) this.#open.shift();
    else {
      const index = this.#open.indexOf(exchange);
      if (index >= 0) this.#open.splice(index, 1);
    }
  }

  /** Stops reading until `release` has been called as often as `hold`. */
  hold(): void {
    this.#holds += 1;
    if (this.#holds === 1) this.socket.on('resume', pauseAgain).pause();
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.socket.off('resume', pauseAgain).resume();
  }

  /** A stream receives no further requests; free what it does not need, because there may be very many. */
  becomeStream(): void {
    this.semaphore = undefined;
    this.#open = NONE;
  }

  close(): void {
    for (const exchange of [...this.#open]) exchange.disconnected();
  }

  /** Called every few seconds: whether the current response has stopped draining. */
  isStuck(nowMs: number): boolean {
    const first = this.#open[0];
    if (!first?.res.headersSent || first.isStream) {
      this.#unsentSinceMs = 0;
      return false;
    }
    const { _handle: handle, writableLength } = this.socket;
    // Includes bytes that the kernel has not taken yet: a single large write shows no other progress.
    const unsent = writableLength + (handle?.writeQueueSize ?? 0);
    if (unsent !== this.#unsent || this.#unsentSinceMs === 0) {
      this.#unsent = unsent;
      this.#unsentSinceMs = nowMs;
    }
    return nowMs - this.#unsentSinceMs >= STUCK_MS || nowMs - first.startedAtMs >= MAX_RESPONSE_MS;
  }
}
