/** A TCP proxy in front of Redis that can misbehave: pass everything on, or take everything and let nothing out. */
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { inject, onTestFinished } from 'vitest';

export type Proxy = {
  url: string;
  /** Connections that have subscribed hear nothing any more; new ones do. Nobody is told. */
  silenceSubscribers(): void;
  /** Nothing comes out, of any connection, until it is false again. */
  hang(isHanging: boolean): void;
  /** Every answer comes so much later. */
  delay(ms: number): void;
  /** Gone, as if Redis were down: connections end and new ones are not served, until it is false again. */
  refuse(isRefusing: boolean): void;
  cut(): void;
};

export async function redisProxy(target = inject('redisUrl')): Promise<Proxy> {
  const pairs = new Set<{
    client: Socket;
    upstream: Socket;
    isSubscriber: boolean;
    isSilent: boolean;
    held: Buffer[];
  }>();
  let hanging = false;
  let refusing = false;
  let delayMs = 0;
  const server = createServer((client) => {
    if (refusing) {
      client.destroy();
      return;
    }
    const upstream = target.startsWith('/')
      ? connect(target)
      : connect(Number(new URL(target).port), '127.0.0.1');
    const pair = { client, upstream, isSubscriber: false, isSilent: false, held: [] as Buffer[] };
    pairs.add(pair);
    client.on('data', (bytes) => {
      if (bytes.toString('latin1').toLowerCase().includes('subscribe')) pair.isSubscriber = true;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      if (hanging) pair.held.push(bytes);
      else if (delayMs > 0) setTimeout(() => client.write(bytes), delayMs);
      else if (!pair.isSilent) client.write(bytes);
    });
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
  const cut = () => {
    for (const { client } of pairs) client.destroy();
  };
  onTestFinished(() => {
    server.close();
    cut();
  });
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
    delay: (ms) => {
      delayMs = ms;
    },
    refuse: (isRefusing) => {
      refusing = isRefusing;
      if (refusing) cut();
    },
    cut,
  };
}
