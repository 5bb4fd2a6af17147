/**
 * A process that holds streams open. It does not parse: for most streams it only counts bytes. For every n-th stream, spread
 * evenly over the order of opening, it searches the raw bytes for stamps. They give the latencies, and the bytes per
 * delivery by which the total number of bytes is divided.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { request } from './http.ts';
import { serve } from './stage.ts';
import { STAMP, stampAt } from './stamp.ts';
import { type Counts, clockUs, Latencies } from './stats.ts';

export type Received = { bytes: number; sampledBytes: number; sampledDeliveries: number; latencies: Counts };
export type ReaderJobs = typeof jobs;
/**
 * How to open a stream of a server: the path, the protocol, and the text that shows that the stream receives everything from
 * now on (default: `event: ready`; for socket.io, the response to its handshake).
 */
export type Entry = { path: string; protocol: keyof typeof PROTOCOLS; ready?: string };
type Opening = { bytes: Buffer; token: string; protocol: Entry['protocol']; ready: string };

/** `hello`: the server's text after which the reader authenticates, if the request cannot. */
const PROTOCOLS = {
  sse: { status: 200, ready: 'event: ready', hello: undefined },
  'socket.io': { status: 101, ready: '40{"sid"', hello: '"pingTimeout"' },
} as const;

/** Concurrent connection attempts, below the servers' listen backlog (511). */
const OPEN_CONCURRENCY = 100;
/** All streams read into this one buffer; the data is not stored. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

/** Encodes a WebSocket frame (RFC 6455): short, unfragmented, and masked with zeros. */
const frame = (text: string): Buffer => {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
};
const PING = Buffer.from('\x81\x012', 'latin1');
const PONG = frame('3');

const streams: Socket[] = [];
let latencies = new Latencies();
let [bytes, sampledBytes, sampledDeliveries] = [0, 0, 0];

/** Searches one stream's bytes for stamps; a possible beginning of a stamp is carried over to the next chunk. */
function sampler(): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const now = clockUs();
    const text = rest + chunk.toString('latin1');
    rest = '';
    let from = 0;
    for (;;) {
      const at = text.indexOf(STAMP, from);
      if (at < 0) break;
      const sentAt = stampAt(text, at);
      if (sentAt === undefined) {
        rest = text.slice(at);
        break;
      }
      latencies.add(now - sentAt);
      sampledDeliveries += 1;
      from = at + STAMP.length;
    }
    rest ||= text.slice(Math.max(from, text.length - STAMP.length + 1));
    sampledBytes += chunk.length;
  };
}

async function openStream(port: number, how: Opening, isSampled: boolean): Promise<void> {
  const sample = isSampled ? sampler() : undefined;
  const { status, hello } = PROTOCOLS[how.protocol];
  let onReady: (error?: Error) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    onReady = (error) => (error ? reject(error) : resolve());
  });
  let opening: string | undefined = '';
  let isAuthenticated = hello === undefined;
  const onData = (length: number): boolean => {
    bytes += length;
    if (opening !== undefined) {
      opening += buffer.toString('latin1', 0, length);
      if (opening.includes(how.ready)) {
        opening = undefined;
        onReady();
      } else if (!isAuthenticated && opening.includes(hello!)) {
        isAuthenticated = true;
        socket.write(frame(`40${JSON.stringify({ token: how.token })}`));
      } else if (!`HTTP/1.1 ${status}`.startsWith(opening.slice(0, 12))) {
        onReady(new Error(opening.slice(0, 500)));
      }
    } else {
      // A ping split over two chunks is missed: about one in ten thousand, and only if a stream has fallen behind.
      if (hello && buffer.subarray(0, length).includes(PING)) socket.write(PONG);
      sample?.(buffer.subarray(0, length));
    }
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: onData } });
  socket.on('error', onReady);
  socket.on('close', () => onReady(new Error(`the stream was closed: ${opening}`)));
  await once(socket, 'connect');
  socket.write(how.bytes);
  streams.push(socket);
  await ready;
}

function openingOf(path: string, token: string, { protocol, ready }: Entry): Opening {
  const bytes =
    protocol === 'sse'
      ? request('GET', path, { token, accept: 'text/event-stream' })
      : Buffer.from(
          'GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
            'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        );
  return { bytes, token, protocol, ready: ready ?? PROTOCOLS[protocol].ready };
}

const jobs = {
  /** `paths`: one per token, if the streams have different paths. */
  async open(job: {
    port: number;
    path: string;
    protocol?: Entry['protocol'];
    ready?: string;
    tokens: string[];
    paths?: string[];
    sampleEvery: number;
  }): Promise<void> {
    const { port, path, protocol = 'sse', ready, tokens, paths, sampleEvery } = job;
    const queue = tokens.entries();
    const opener = async () => {
      for (const [index, token] of queue) {
        const how = openingOf(paths?.[index] ?? path, token, { path, protocol, ...(ready && { ready }) });
        await openStream(port, how, index % sampleEvery === 0);
      }
    };
    await Promise.all(Array.from({ length: OPEN_CONCURRENCY }, opener));
  },

  /** Returns and resets the counts since the last call. */
  async collect(): Promise<Received> {
    const received = { bytes, sampledBytes, sampledDeliveries, latencies: latencies.counts() };
    [bytes, sampledBytes, sampledDeliveries] = [0, 0, 0];
    latencies = new Latencies();
    return received;
  },

  async close(): Promise<void> {
    for (const socket of streams.splice(0)) socket.destroy();
  },
};

serve(jobs);
