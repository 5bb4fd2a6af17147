/** One connection, as admission sees it: what is in flight on it, and whether what was answered leaves. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Budget } from './budgets.ts';
import { Semaphore } from './semaphore.ts';

/** What a connection knows of each exchange on it, in the order in which they came. */
export type OnConnection = {
  readonly res: ServerResponse;
  readonly startedAtMs: number;
  readonly isStream: boolean;
  /** The connection has closed. */
  gone(): void;
};

const NONE: OnConnection[] = [];

/** What waits behind others on one connection (HTTP pipelining). */
const WAITING = 120;
const REFUSED_BEHIND = 8;
/** An answer of which nothing leaves for so long is cut, and one that is still not gone after so long in all. */
const STUCK_MS = 30_000;
const LONGEST_MS = 300_000;

/** Node resumes a socket on its own to drain the rest of a body. */
function pauseAgain(this: Socket): void {
  this.pause();
}

export class Connection {
  readonly socket: Socket & { _handle?: { writeQueueSize?: number } | null };
  /** The networks that it counts for; none for a connection of a trusted proxy. */
  budgets: Budget[] | undefined;
  /** Nothing that comes on it is answered any more. */
  isOver = false;
  isResting = false;
  /** How many in a row were refused on it. */
  refusals = 0;
  semaphore: Semaphore | undefined;
  readonly #inFlight: number;
  #holds = 0;
  #open: OnConnection[] = [];
  #left = 0;
  #leftAtMs = 0;

  constructor(socket: Socket, budgets: Budget[] | undefined, inFlight: number) {
    this.socket = socket;
    this.budgets = budgets;
    this.#inFlight = inFlight;
  }

  /** False when too many wait on it, or came behind what was refused: they are not refused one by one. */
  begin(exchange: OnConnection): boolean {
    this.semaphore ??= new Semaphore(this.#inFlight, WAITING);
    if (this.#open.length > 0 && this.refusals >= REFUSED_BEHIND) return false;
    return this.#open.push(exchange) <= this.#inFlight + WAITING || this.#inFlight === 0;
  }

  end(exchange: OnConnection): void {
    if (this.#open[0] === exchange) this.#open.shift();
    else {
      const index = this.#open.indexOf(exchange);
      if (index >= 0) this.#open.splice(index, 1);
    }
  }

  /** Stops reading until `release` has been called as many times. */
  hold(): void {
    this.#holds += 1;
    if (this.#holds === 1) this.socket.on('resume', pauseAgain).pause();
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0) this.socket.off('resume', pauseAgain).resume();
  }

  /** It is a stream from now on: nothing else comes on it, and there may be very many. */
  becomeStream(): void {
    this.semaphore = undefined;
    this.#open = NONE;
  }

  close(): void {
    for (const exchange of [...this.#open]) exchange.gone();
  }

  /** Called every few seconds: whether the answer that is leaving has stopped to. */
  isStuck(nowMs: number): boolean {
    const first = this.#open[0];
    if (!first?.res.headersSent || first.isStream) {
      this.#leftAtMs = 0;
      return false;
    }
    const { _handle: handle, writableLength } = this.socket;
    // What the kernel has not taken, and what is behind it: a single large write shows no other progress.
    const left = writableLength + (handle?.writeQueueSize ?? 0);
    if (left !== this.#left || this.#leftAtMs === 0) {
      this.#left = left;
      this.#leftAtMs = nowMs;
    }
    return nowMs - this.#leftAtMs >= STUCK_MS || nowMs - first.startedAtMs >= LONGEST_MS;
  }
}
