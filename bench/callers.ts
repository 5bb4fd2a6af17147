/**
 * A process that makes different calls and records the duration of each: sequentially over one connection (`call`), or at a
 * given rate independent of the responses (`pace`). A paced call never waits for another: it uses an idle connection or
 * opens a new one.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { countAnswers, open, request } from './http.ts';
import { serve } from './stage.ts';
import { clockUs } from './stats.ts';

export type Call = { method: 'GET' | 'POST'; path: string; token?: string; body?: object };
/** `atUs` is the scheduled time, on the clock shared by all processes. Status 0: the connection ended without a response. */
export type Answer = { atUs: number; micros: number; status: number };

export type CallerJobs = typeof jobs;

type Connection = { socket: Socket; onResponse: ((status: number) => void) | undefined };

const TICK_MS = 1;
/** Maximum wait for pending responses after the last request. */
const DRAIN_MS = 10_000;

async function connection(port: number): Promise<Connection> {
  const result: Connection = { socket: await open(port), onResponse: undefined };
  const settle = (status: number) => {
    const { onResponse } = result;
    result.onResponse = undefined;
    onResponse?.(status);
  };
  countAnswers(result.socket, settle);
  result.socket.on('error', () => {}).on('close', () => settle(0));
  return result;
}

async function ask(on: Connection, bytes: Buffer, atUs: number): Promise<Answer> {
  const status = await new Promise<number>((resolve) => {
    on.onResponse = resolve;
    on.socket.write(bytes);
  });
  return { atUs, micros: clockUs() - atUs, status };
}

const bytesOf = ({ method, path, token, body }: Call): Buffer => request(method, path, { token, body });

const jobs = {
  async call({ port, calls }: { port: number; calls: Call[] }): Promise<Answer[]> {
    const requests = calls.map(bytesOf);
    const one = await connection(port);
    const answers: Answer[] = [];
    for (const bytes of requests) answers.push(await ask(one, bytes, clockUs()));
    one.socket.destroy();
    return answers;
  },

  /** Cycles through the calls. */
  async pace(job: { port: number; calls: Call[]; perSecond: number; seconds: number }): Promise<Answer[]> {
    const { port, calls, perSecond, seconds } = job;
    const requests = calls.map(bytesOf);
    const idle: Connection[] = [];
    const answers: Answer[] = [];
    const all: Connection[] = [];
    const once = async (bytes: Buffer, atUs: number) => {
      let one = idle.pop();
      while (one && !one.socket.writable) one = idle.pop();
      if (!one) {
        one = await connection(port);
        all.push(one);
      }
      answers.push(await ask(one, bytes, atUs));
      idle.push(one);
    };
    const startedAt = clockUs();
    for (let sent = 0; sent < perSecond * seconds; ) {
      const due = Math.floor(((clockUs() - startedAt) / 1e6) * perSecond);
      for (; sent <= due && sent < perSecond * seconds; sent += 1) {
        void once(requests[sent % requests.length]!, startedAt + (sent / perSecond) * 1e6);
      }
      await sleep(TICK_MS);
    }
    const deadline = performance.now() + DRAIN_MS;
    while (answers.length < perSecond * seconds && performance.now() < deadline) await sleep(TICK_MS);
    for (const { socket } of all) socket.destroy();
    return answers;
  },
};

serve(jobs);
