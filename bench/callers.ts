/**
 * A process that makes calls which differ from one another, and keeps how long each took: one after the other over one
 * connection (`call`), or at a given rate whatever the answers (`pace`). A paced call never waits behind another: it
 * takes a connection that is free, or opens one.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { countAnswers, open, request } from './http.ts';
import { serve } from './stage.ts';
import { clockUs } from './stats.ts';

export type Call = { method: 'GET' | 'POST'; path: string; token?: string; body?: object };
/** `atUs` is when it was due, on the clock that all processes share. Status 0: the connection ended without an answer. */
export type Answer = { atUs: number; micros: number; status: number };

export type CallerJobs = typeof jobs;

type Connection = { socket: Socket; answered: ((status: number) => void) | undefined };

const TICK_MS = 1;
/** How long answers that are still out may take when all is sent. */
const LAST_ANSWERS_MS = 10_000;

async function connection(port: number): Promise<Connection> {
  const made: Connection = { socket: await open(port), answered: undefined };
  const settle = (status: number) => {
    const { answered } = made;
    made.answered = undefined;
    answered?.(status);
  };
  countAnswers(made.socket, settle);
  made.socket.on('error', () => {}).on('close', () => settle(0));
  return made;
}

async function ask(on: Connection, bytes: Buffer, atUs: number): Promise<Answer> {
  const status = await new Promise<number>((resolve) => {
    on.answered = resolve;
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

  /** The calls in turn, from the first again after the last. */
  async pace(job: { port: number; calls: Call[]; perSecond: number; seconds: number }): Promise<Answer[]> {
    const { port, calls, perSecond, seconds } = job;
    const requests = calls.map(bytesOf);
    const free: Connection[] = [];
    const answers: Answer[] = [];
    const all: Connection[] = [];
    const once = async (bytes: Buffer, atUs: number) => {
      let one = free.pop();
      while (one && !one.socket.writable) one = free.pop();
      if (!one) {
        one = await connection(port);
        all.push(one);
      }
      answers.push(await ask(one, bytes, atUs));
      free.push(one);
    };
    const startedAt = clockUs();
    for (let sent = 0; sent < perSecond * seconds; ) {
      const due = Math.floor(((clockUs() - startedAt) / 1e6) * perSecond);
      for (; sent <= due && sent < perSecond * seconds; sent += 1) {
        void once(requests[sent % requests.length]!, startedAt + (sent / perSecond) * 1e6);
      }
      await sleep(TICK_MS);
    }
    const deadline = performance.now() + LAST_ANSWERS_MS;
    while (answers.length < perSecond * seconds && performance.now() < deadline) await sleep(TICK_MS);
    for (const { socket } of all) socket.destroy();
    return answers;
  },
};

serve(jobs);
