/**
 * A TCP proxy in front of Redis that can misbehave. It distinguishes subscribers from command connections by the
 * commands they send. It never loses withheld data: like a bad network, it delays it or breaks the connection.
 */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/** `commands` are all connections that do not subscribe; `bulk` is the one of them for long reads. */
export type Which = 'all' | 'subscriber' | 'commands' | 'bulk';

export type TcpProxy = {
  url: string;
  /** Existing subscribers silently stop receiving; new ones work. */
  silenceSubscribers(): void;
  /** While true, no connection returns any data. */
  hang(isHanging: boolean): void;
  /** While true, nothing passes in either direction. */
  freeze(isFrozen: boolean): void;
  /** Delays replies by this many milliseconds. */
  delay(ms: number, which?: Which): void;
  /** Splits replies into chunks of this many bytes, one per millisecond, while the server waits. 0: unchanged. */
  drip(bytes: number, which?: Which): void;
  /** While true, as if Redis were down: connections end and new ones are refused. */
  refuse(isRefusing: boolean, which?: Which): void;
  cut(): void;
  /** Like `cut`, but with a reset. */
  reset(which: Which): void;
  /** Number of connections so far that have subscribed. */
  subscriberCount(): number;
  close(): void;
};

type Pair = {
  client: Socket;
  upstream: Socket;
  isSubscriber: boolean;
  isBulk: boolean;
  isSilent: boolean;
  held: Buffer[];
  /** Replies in transit, in order; and their number. */
  late: Promise<void>;
  lateCount: number;
};

const isMeant = ({ isSubscriber, isBulk }: Pair, which: Which): boolean =>
  which === 'all' || (which === 'bulk' ? isBulk : isSubscriber === (which === 'subscriber'));

/** `target`: a local port, or the path of a unix socket. */
export async function openProxy(target: number | string): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let [hanging, frozen] = [false, false];
  let refused: Which | undefined;
  let lateness: { ms: number; which: Which } = { ms: 0, which: 'all' };
  let drops: { bytes: number; which: Which } = { bytes: 0, which: 'all' };
  let subscribers = 0;

  const server = createServer((client) => {
    if (refused === 'all') {
      client.destroy();
      return;
    }
    const upstream = typeof target === 'string' ? connect(target) : connect(target, '127.0.0.1');
    const pair: Pair = {
      ...{ client, upstream, isSubscriber: false, isBulk: false, isSilent: false, held: [] },
      ...{ late: Promise.resolve(), lateCount: 0 },
    };
    pairs.add(pair);
    client.on('data', (bytes) => {
      if (/setname.*bulk/is.test(bytes.toString('latin1'))) pair.isBulk = true;
      if (!pair.isSubscriber && bytes.toString('latin1').toLowerCase().includes('subscribe')) {
        pair.isSubscriber = true;
        subscribers += 1;
      }
      if (refused && isMeant(pair, refused)) client.destroy();
      else upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (hanging) pair.held.push(bytes);
      else if (pair.isSilent) return;
      else if (drops.bytes > 0 && isMeant(pair, drops.which)) drip(pair, bytes);
      else if (pair.lateCount > 0 || (lateness.ms > 0 && isMeant(pair, lateness.which))) later(pair, bytes);
      else client.write(bytes);
    });
    if (frozen) freeze(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on('close', end).on('error', end);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  /** One chunk after the other; Redis is not read meanwhile. */
  function drip(pair: Pair, bytes: Buffer): void {
    pair.upstream.pause();
    pair.lateCount += 1;
    pair.late = pair.late.then(async () => {
      for (let at = 0; at < bytes.length && !pair.client.destroyed; ) {
        const end = drops.bytes > 0 ? at + drops.bytes : bytes.length; // the connection may have ended meanwhile
        pair.client.write(bytes.subarray(at, end));
        at = end;
        await sleep(1);
      }
      pair.lateCount -= 1;
      if (!frozen) pair.upstream.resume();
    });
  }

  function later(pair: Pair, bytes: Buffer): void {
    const dueAtMs = performance.now() + lateness.ms;
    pair.lateCount += 1;
    pair.late = pair.late.then(async () => {
      await sleep(Math.max(0, dueAtMs - performance.now()));
      pair.client.write(bytes);
      pair.lateCount -= 1;
    });
  }

  function freeze({ client, upstream }: Pair): void {
    client.pause();
    upstream.pause();
  }

  const cut = () => {
    for (const { client } of pairs) client.destroy();
  };
  return {
    url: `redis://127.0.0.1:${address.port}`,
    silenceSubscribers: () => {
      for (const pair of pairs) if (pair.isSubscriber) pair.isSilent = true;
    },
    hang: (isHanging) => {
      hanging = isHanging;
      if (hanging) return;
      for (const { client, held } of pairs) for (const bytes of held.splice(0)) client.write(bytes);
    },
    freeze: (isFrozen) => {
      frozen = isFrozen;
      for (const pair of pairs) {
        if (isFrozen) freeze(pair);
        else for (const socket of [pair.client, pair.upstream]) socket.resume();
      }
    },
    delay: (ms, which = 'all') => {
      lateness = { ms, which };
    },
    drip: (bytes, which = 'all') => {
      drops = { bytes, which };
    },
    refuse: (isRefusing, which = 'all') => {
      refused = isRefusing ? which : undefined;
      if (isRefusing) for (const pair of pairs) if (isMeant(pair, which)) pair.client.destroy();
    },
    cut,
    reset: (which) => {
      for (const pair of pairs) if (isMeant(pair, which)) pair.client.resetAndDestroy();
    },
    subscriberCount: () => subscribers,
    close: () => {
      server.close();
      cut();
    },
  };
}
