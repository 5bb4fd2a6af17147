/**
 * A process that holds streams open. It does not parse: of most streams it counts bytes. Of every n-th, evenly over
 * the order in which they were opened, it looks for the stamps in the raw bytes: that gives the latencies, and the
 * bytes per delivery by which the bytes of all are divided.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { request } from './http.ts';
import { serve } from './stage.ts';
import { STAMP, stampAt } from './stamp.ts';
import { type Counts, clockUs, Latencies } from './stats.ts';

export type Heard = { bytes: number; sampledBytes: number; sampledDeliveries: number; latencies: Counts };
export type ReaderJobs = typeof jobs;
/**
 * How a server's streams are opened: the path, what is spoken there, and the word that says the stream hears everything
 * from now on, `event: ready` if there is none. For socket.io its answer to the handshake is that word.
 */
export type Entry = { path: string; protocol: keyof typeof PROTOCOLS; ready?: string };
type Opening = { bytes: Buffer; token: string; protocol: Entry['protocol']; ready: string };

/** `hello`: the answer to which the reader says who it is, where the request cannot. */
const PROTOCOLS = {
  sse: { status: 200, ready: 'event: ready', hello: undefined },
  'socket.io': { status: 101, ready: '40{"sid"', hello: '"pingTimeout"' },
} as const;

/** Connections on their way: below the servers' listen backlog (511). */
const OPENING_AT_ONCE = 100;
/** All streams read into this one buffer: nothing is kept of what was read. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

/** WebSocket, RFC 6455: what a client says is short, whole and masked, here with zeros. */
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

/** Looks through one stream's bytes; what may be the beginning of a stamp is kept for the next chunk. */
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
  let isReady: (error?: Error) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    isReady = (error) => (error ? reject(error) : resolve());
  });
  let opening: string | undefined = '';
  let isKnown = hello === undefined;
  const onData = (length: number): boolean => {
    bytes += length;
    if (opening !== undefined) {
      opening += buffer.toString('latin1', 0, length);
      if (opening.includes(how.ready)) {
        opening = undefined;
        isReady();
      } else if (!isKnown && opening.includes(hello!)) {
        isKnown = true;
        socket.write(frame(`40${JSON.stringify({ token: how.token })}`));
      } else if (!`HTTP/1.1 ${status}`.startsWith(opening.slice(0, 12))) {
        isReady(new Error(opening.slice(0, 500)));
      }
    } else {
      // A ping that is cut in two goes unnoticed: one in some ten thousand, and only where a stream has fallen behind.
      if (hello && buffer.subarray(0, length).includes(PING)) socket.write(PONG);
      sample?.(buffer.subarray(0, length));
    }
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: onData } });
  socket.on('error', isReady);
  socket.on('close', () => isReady(new Error(`a stream was closed: ${opening}`)));
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
  /** `paths`: one for each token, where streams differ by their path. */
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
    const left = tokens.entries();
    const opener = async () => {
      for (const [index, token] of left) {
        const how = openingOf(paths?.[index] ?? path, token, { path, protocol, ...(ready && { ready }) });
        await openStream(port, how, index % sampleEvery === 0);
      }
    };
    await Promise.all(Array.from({ length: OPENING_AT_ONCE }, opener));
  },

  /** What was heard since the last time this was asked. */
  async heard(): Promise<Heard> {
    const heard = { bytes, sampledBytes, sampledDeliveries, latencies: latencies.counts() };
    [bytes, sampledBytes, sampledDeliveries] = [0, 0, 0];
    latencies = new Latencies();
    return heard;
  },

  async close(): Promise<void> {
    for (const socket of streams.splice(0)) socket.destroy();
  },
};

serve(jobs);
