/** A process that sends messages: as fast as the server responds (`drive`), or at a given rate independent of the responses (`offer`). */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { countAnswers, open, request } from './http.ts';
import { serve } from './stage.ts';
import { stampedText } from './stamp.ts';
import { type Counts, clockUs, Latencies } from './stats.ts';

/** One per connection. */
export type Target = { path: string; token: string; text: string };
export type Driven = { perSecond: number; failed: number; latencies: Counts };
export type Offered = { sent: number; accepted: number; failed: number };

export type LoadJobs = typeof jobs;

/** Maximum wait for pending responses after an offer. */
const DRAIN_MS = 5_000;
const TICK_MS = 2;

const jobs = {
  /** Closed loop: each connection sends its next request after the response to the previous one. */
  async drive(job: { port: number; targets: Target[]; seconds: number; count?: number }): Promise<Driven> {
    const { port, targets, seconds, count = Number.POSITIVE_INFINITY } = job;
    const latencies = new Latencies();
    let [accepted, failed, sent] = [0, 0, 0];
    const sockets = await Promise.all(targets.map(() => open(port)));
    const startedAt = clockUs();
    const endsAt = startedAt + seconds * 1e6;
    await Promise.all(
      sockets.map((socket, i) => {
        const { path, token, text } = targets[i]!;
        const bytes = request('POST', path, { token, body: { text } });
        return new Promise<void>((resolve, reject) => {
          let sentAt = 0;
          const send = () => {
            if (clockUs() >= endsAt || sent >= count) return resolve();
            sent += 1;
            sentAt = clockUs();
            socket.write(bytes);
          };
          countAnswers(socket, (status) => {
            latencies.add(clockUs() - sentAt);
            if (status === 201) accepted += 1;
            else failed += 1;
            send();
          });
          socket.on('close', () => reject(new Error('the server closed a connection')));
          send();
        });
      }),
    );
    const perSecond = accepted / ((clockUs() - startedAt) / 1e6);
    for (const socket of sockets) socket.removeAllListeners('close').destroy();
    return { perSecond, failed, latencies: latencies.counts() };
  },

  /**
   * Open loop: writes messages on schedule, pipelined, with the send time in the text. A server that falls behind gets no
   * fewer messages, and the time that a message waits for it counts. `targets`: several targets in turn instead of one.
   * Unstamped messages are background load: the readers' latencies do not include them.
   */
  async offer(job: {
    port: number;
    connections: number;
    path: string;
    token: string;
    perSecond: number;
    seconds: number;
    targets?: { path: string; token: string }[];
    isStamped?: boolean;
  }): Promise<Offered> {
    const { port, connections, path, token, perSecond, seconds, isStamped = true } = job;
    const text = isStamped ? stampedText(0) : stampedText(0).slice(1);
    const templates = (job.targets ?? [{ path, token }]).map((target) => {
      const bytes = request('POST', target.path, { token: target.token, body: { text } });
      return { bytes, stampAt: bytes.indexOf(text) };
    });
    let [sent, accepted, failed] = [0, 0, 0];
    const sockets: Socket[] = [];
    for (let i = 0; i < connections; i += 1) {
      const socket = await open(port);
      countAnswers(socket, (status) => {
        if (status === 201) accepted += 1;
        else failed += 1;
      });
      sockets.push(socket);
    }
    const startedAt = clockUs();
    for (;;) {
      const now = clockUs();
      const passed = Math.min((now - startedAt) / 1e6, seconds);
      for (const due = Math.floor(passed * perSecond); sent < due; sent += 1) {
        const template = templates[sent % templates.length]!;
        const bytes = Buffer.from(template.bytes);
        if (isStamped) bytes.write(stampedText(clockUs()), template.stampAt, 'latin1');
        sockets[sent % connections]!.write(bytes);
      }
      if (passed >= seconds) break;
      await sleep(TICK_MS);
    }
    const deadline = performance.now() + DRAIN_MS;
    while (accepted + failed < sent && performance.now() < deadline) await sleep(TICK_MS);
    for (const socket of sockets) socket.destroy();
    return { sent, accepted, failed };
  },
};

serve(jobs);
