/**
 * A process that drops all its streams at the same time and reconnects them at the same time, each with its last event id. A
 * stream is back when it has received `ready` and every message that it missed.
 */
import { connect, type Socket } from 'node:net';
import { request } from './http.ts';
import { serve } from './stage.ts';
import { STAMP } from './stamp.ts';
import { clockUs } from './stats.ts';

export type Reconnection = {
  /** Times of the first attempt and of the last stream being back, on the clock shared by all processes. */
  fromUs: number;
  toUs: number;
  /** Time from each stream's first attempt until it was back. */
  micros: number[];
  resumed: number;
};
export type ReturnerJobs = typeof jobs;

type Returner = { token: string; id: string; socket: Socket | undefined };

/** Concurrent connection attempts, below the server's listen backlog (511): beyond it the kernel delays some by a second. */
const CONNECT_CONCURRENCY = 400;
const EVENTS_END = '\n\n';
/** All streams read into this one buffer. */
const buffer = Buffer.allocUnsafeSlow(256 * 1024);

let returners: Returner[] = [];

/** Calls `onEvents` with complete events. */
function listen(returner: Returner, port: number, onEvents: (events: string) => void): Promise<void> {
  let rest = '';
  const onData = (length: number): boolean => {
    const text = rest + buffer.toString('latin1', 0, length);
    const end = text.lastIndexOf(EVENTS_END) + 1;
    rest = text.slice(end);
    const id = text.lastIndexOf('\nid: ', end);
    if (id >= 0) returner.id = text.slice(id + 5, text.indexOf('\n', id + 5));
    if (end > 0) onEvents(text.slice(0, end));
    return true;
  };
  const lines = { token: returner.token, accept: 'text/event-stream' };
  const path = returner.id ? `/v1/events?after=${encodeURIComponent(returner.id)}` : '/v1/events';
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', onread: { buffer, callback: onData } });
    returner.socket = socket;
    socket.on('error', reject).on('connect', () => {
      socket.write(request('GET', path, lines));
      resolve();
    });
  });
}

const count = (text: string, what: string): number => text.split(what).length - 1;

async function openAll(port: number, missed: number): Promise<Reconnection> {
  const fromUs = clockUs();
  const micros: number[] = [];
  let resumed = 0;
  const queue = returners.values();
  const waits: Promise<void>[] = [];
  const opener = async () => {
    for (const returner of queue) {
      const startedAt = clockUs();
      let [isReady, missing] = [false, missed];
      let onBack = () => {};
      waits.push(
        new Promise<void>((resolve) => {
          onBack = resolve;
        }),
      );
      await listen(returner, port, (events) => {
        if (!isReady && events.includes('event: ready')) {
          isReady = true;
          if (events.includes('"resumed":true')) resumed += 1;
        } else if (!isReady && !events.startsWith('HTTP/1.1 200')) throw new Error(events.slice(0, 500));
        if (missing > 0) missing -= count(events, STAMP);
        if (!isReady || missing > 0 || missing === Number.NEGATIVE_INFINITY) return;
        missing = Number.NEGATIVE_INFINITY;
        micros.push(clockUs() - startedAt);
        onBack();
      });
    }
  };
  await Promise.all(Array.from({ length: CONNECT_CONCURRENCY }, opener));
  await Promise.all(waits);
  return { fromUs, toUs: clockUs(), micros, resumed };
}

const jobs = {
  async open({ port, tokens }: { port: number; tokens: string[] }): Promise<void> {
    returners = tokens.map((token) => ({ token, id: '', socket: undefined }));
    await openAll(port, 0);
  },

  async drop(): Promise<void> {
    for (const { socket } of returners) socket?.destroy();
  },

  /** `missed`: the number of stamped messages sent meanwhile. */
  async reconnect({ port, missed }: { port: number; missed: number }): Promise<Reconnection> {
    return openAll(port, missed);
  },
};

serve(jobs);
