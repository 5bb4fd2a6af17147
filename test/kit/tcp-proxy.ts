/**
 * A TCP proxy in front of Redis that can misbehave. It distinguishes subscribers from command connections by the
 * commands they send. It never loses withheld data: like a bad network, it delays it or breaks the connection.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `commands` are all connections that do not subscribe; `bulk` is the one of them for long reads. */
export type Which = 'all' | 'subscriber' | 'commands' | 'bulk';

type FaultFor = { which: Which };

/** The faults that are active, for connections of all kinds or of one. */
type Faults = {
  isHanging: boolean;
  isFrozen: boolean;
  refused: Which | undefined;
  delay: FaultFor & { ms: number };
  drip: FaultFor & { bytes: number };
};

/** `target`: a local port, or the path of a unix socket. */
export async function openProxy(target: number | string): Promise<TcpProxy> {
  const proxy = new TcpProxy(target);
  await proxy.listen();
  return proxy;
}

export class TcpProxy {
  #target: number | string;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  readonly #faults: Faults = {
    isHanging: false,
    isFrozen: false,
    refused: undefined,
    delay: { ms: 0, which: 'all' },
    drip: { bytes: 0, which: 'all' },
  };
  #port = 0;
  #subscriberCount = 0;

  constructor(target: number | string) {
    this.#target = target;
    this.#server = createServer((client) => this.#accept(client));
  }

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    const address = this.#server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    this.#port = address.port;
  }

  /** Connections from now on lead to another server. */
  retarget(target: number | string): void {
    this.#target = target;
  }

  get url(): string {
    return `redis://127.0.0.1:${this.#port}`;
  }

  /** Existing subscribers silently stop receiving; new ones work. */
  silenceSubscribers(): void {
    for (const pair of this.#pairs) if (pair.isSubscriber) pair.isSilent = true;
  }

  /** While true, no connection returns any data. */
  hang(isHanging: boolean): void {
    this.#faults.isHanging = isHanging;
    if (!isHanging) for (const pair of this.#pairs) pair.releaseWithheld();
  }

  /** While true, nothing passes in either direction. */
  freeze(isFrozen: boolean): void {
    this.#faults.isFrozen = isFrozen;
    for (const pair of this.#pairs) {
      if (isFrozen) pair.pause();
      else pair.resume();
    }
  }

  /** Delays replies by this many milliseconds. */
  delay(ms: number, which: Which = 'all'): void {
    this.#faults.delay = { ms, which };
  }

  /** Splits replies into chunks of this many bytes, one per millisecond, while the server waits. 0: unchanged. */
  drip(bytes: number, which: Which = 'all'): void {
    this.#faults.drip = { bytes, which };
  }

  /** While true, as if Redis were down: connections end and new ones are refused. */
  refuse(isRefusing: boolean, which: Which = 'all'): void {
    this.#faults.refused = isRefusing ? which : undefined;
    if (isRefusing) for (const pair of this.#pairs) if (pair.isAny(which)) pair.client.destroy();
  }

  cut(): void {
    for (const { client } of this.#pairs) client.destroy();
  }

  /** Like `cut`, but with a reset. */
  reset(which: Which): void {
    for (const pair of this.#pairs) if (pair.isAny(which)) pair.client.resetAndDestroy();
  }

  /** Number of connections so far that have subscribed. */
  subscriberCount(): number {
    return this.#subscriberCount;
  }

  close(): void {
    this.#server.close();
    this.cut();
  }

  #accept(client: Socket): void {
    if (this.#faults.refused === 'all') {
      client.destroy();
      return;
    }
    const target = this.#target;
    const upstream = typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1');
    const pair = new Pair(client, upstream, this.#faults);
    this.#pairs.add(pair);
    client.on('data', (bytes) => {
      if (pair.recognize(bytes)) this.#subscriberCount += 1;
      if (this.#faults.refused && pair.isAny(this.#faults.refused)) client.destroy();
      else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => pair.reply(bytes));
    if (this.#faults.isFrozen) pair.pause();
    const end = () => {
      this.#pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
  }
}

/** A client, and its connection to the server. */
class Pair {
  readonly client: Socket;
  readonly #upstream: Socket;
  readonly #faults: Faults;
  isSubscriber = false;
  isSilent = false;
  #isBulk = false;
  #withheld: Buffer[] = [];
  /** Replies in transit, in order; and their number. */
  #transit: Promise<void> = Promise.resolve();
  #transitCount = 0;

  constructor(client: Socket, upstream: Socket, faults: Faults) {
    this.client = client;
    this.#upstream = upstream;
    this.#faults = faults;
  }

  isAny(which: Which): boolean {
    if (which === 'all') return true;
    return which === 'bulk' ? this.#isBulk : this.isSubscriber === (which === 'subscriber');
  }

  /** Learns the kind of connection from its commands. Returns whether it has just become a subscriber. */
  recognize(bytes: Buffer): boolean {
    const text = bytes.toString('latin1');
    if (/setname.*bulk/is.test(text)) this.#isBulk = true;
    if (this.isSubscriber || !text.toLowerCase().includes('subscribe')) return false;
    this.isSubscriber = true;
    return true;
  }

  reply(bytes: Buffer): void {
    const { isHanging, drip, delay } = this.#faults;
    if (isHanging) this.#withheld.push(bytes);
    else if (this.isSilent) return;
    else if (drip.bytes > 0 && this.isAny(drip.which)) this.#replyInChunks(bytes);
    else if (this.#transitCount > 0 || (delay.ms > 0 && this.isAny(delay.which))) this.#replyLater(bytes);
    else this.client.write(bytes);
  }

  releaseWithheld(): void {
    for (const bytes of this.#withheld.splice(0)) this.client.write(bytes);
  }

  pause(): void {
    this.client.pause();
    this.#upstream.pause();
  }

  resume(): void {
    this.client.resume();
    this.#upstream.resume();
  }

  /** One chunk after the other; Redis is not read meanwhile. */
  #replyInChunks(bytes: Buffer): void {
    this.#upstream.pause();
    this.#transitCount += 1;
    this.#transit = this.#transit.then(async () => {
      for (let at = 0; at < bytes.length && !this.client.destroyed; ) {
        const size = this.#faults.drip.bytes; // it may have been turned off meanwhile
        const end = size > 0 ? at + size : bytes.length;
        this.client.write(bytes.subarray(at, end));
        at = end;
        await sleep(1);
      }
      this.#transitCount -= 1;
      if (!this.#faults.isFrozen) this.#upstream.resume();
    });
  }

  #replyLater(bytes: Buffer): void {
    const dueAtMs = performance.now() + this.#faults.delay.ms;
    this.#transitCount += 1;
    this.#transit = this.#transit.then(async () => {
      await sleep(Math.max(0, dueAtMs - performance.now()));
      this.client.write(bytes);
      this.#transitCount -= 1;
    });
  }
}
