/**
 * Whether a client reads fast enough: what its stream has written and its socket has not sent yet. A batch that does not
 * fit makes the stream fall behind; a socket that sends nothing for too long ends it.
 */
import type { Writable } from 'node:stream';
import type { SharedBufferLimit } from './shared-buffer-limit.ts';

export type BufferLimits = {
  /** MAX_STREAM_BYTES: of one stream. */
  maxBytes: number;
  /** Of all streams of the node together. */
  queued: SharedBufferLimit;
};

/** A client that reads nothing for this long gets a goodbye. */
const STALLED_AFTER_MS = 30_000;

export class Backpressure {
  readonly #out: Writable;
  readonly #limits: BufferLimits;
  /** The bytes of its queue that are included in the shared sum. */
  #countedBytes = 0;
  #isReleased = false;
  #stalled: { length: number; sinceMs: number } | undefined;

  constructor(out: Writable, limits: BufferLimits) {
    this.#out = out;
    this.#limits = limits;
  }

  /** Earlier writes are still queued, so the next write would be queued too. */
  get isSlow(): boolean {
    return this.#out.writableLength > 0;
  }

  /** Whether these bytes fit as well. A single message always fits into an empty buffer. */
  hasRoom(written: Buffer | Buffer[], messages: number): boolean {
    const queued = this.#measure();
    const bytes = Array.isArray(written) ? sum(written) : written.length;
    if (queued > 0 && !this.#limits.queued.hasRoom(bytes)) return false;
    return queued + bytes <= this.#limits.maxBytes || (queued === 0 && messages <= 1);
  }

  /** The number of bytes that fit. */
  room(): number {
    const { maxBytes, queued } = this.#limits;
    const bytes = Math.max(0, maxBytes - this.#measure());
    return queued.hasRoom(bytes) ? bytes : 0;
  }

  write(bytes: Buffer | Buffer[]): void {
    if (Array.isArray(bytes)) {
      this.#out.cork();
      for (const piece of bytes) this.#out.write(piece);
      this.#out.uncork();
    } else {
      this.#out.write(bytes);
    }
    this.#measure();
  }

  /** Called every few seconds. True when nothing has been sent for too long. */
  isStalled(nowMs: number): boolean {
    const length = this.#measure();
    if (length === 0) this.#stalled = undefined;
    else if (!this.#stalled || length < this.#stalled.length) this.#stalled = { length, sinceMs: nowMs };
    else return nowMs - this.#stalled.sinceMs > STALLED_AFTER_MS;
    return false;
  }

  /** The stream has closed: what it has queued no longer counts. */
  release(): void {
    this.#isReleased = true;
    this.#limits.queued.add(-this.#countedBytes);
    this.#countedBytes = 0;
  }

  /** Bytes queued for the socket; also updates the shared sum. */
  #measure(): number {
    const length = this.#out.writableLength;
    if (!this.#isReleased) {
      this.#limits.queued.add(length - this.#countedBytes);
      this.#countedBytes = length;
    }
    return length;
  }
}

const sum = (buffers: Buffer[]): number => buffers.reduce((total, { length }) => total + length, 0);
