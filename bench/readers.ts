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

/** Connections on their way: below the servers' listen backlog (511). */
const OPENING_AT_ONCE = 100;
/** All streams read into this one buffer: nothing is kept of what was read. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

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

async function openStream(port: number, bytesOfRequest: Buffer, isSampled: boolean): Promise<void> {
  const sample = isSampled ? sampler() : undefined;
  let isReady: (error?: Error) => void = () => {};
  const ready = new Promise<void>((resolve, reject) => {
    isReady = (error) => (error ? reject(error) : resolve());
  });
  let opening: string | undefined = '';
  const onData = (length: number): boolean => {
    bytes += length;
    if (opening !== undefined) {
      opening += buffer.toString('latin1', 0, length);
      if (opening.includes('event: ready')) {
        opening = undefined;
        isReady();
      } else if (!'HTTP/1.1 200'.startsWith(opening.slice(0, 12))) isReady(new Error(opening.slice(0, 500)));
    } else sample?.(buffer.subarray(0, length));
    return true;
  };
  const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: onData } });
  socket.on('error', isReady);
  socket.on('close', () => isReady(new Error('a stream was closed')));
  await once(socket, 'connect');
  socket.write(bytesOfRequest);
  streams.push(socket);
  await ready;
}

const jobs = {
  async open(job: { port: number; path: string; tokens: string[]; sampleEvery: number }): Promise<void> {
    const { port, path, tokens, sampleEvery } = job;
    const left = tokens.entries();
    const opener = async () => {
      for (const [index, token] of left) {
        const asked = request('GET', path, { token, accept: 'text/event-stream' });
        await openStream(port, asked, index % sampleEvery === 0);
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
