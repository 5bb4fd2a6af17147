/** A Parley of several workers as its own process; and connections of which is known where they ended up. */
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { inject, onTestFinished } from 'vitest';
import { JWT_SECRET, type Person, type TestNode, until } from './app.ts';
import { type Process, startProcess } from './process.ts';
import { openStream, type StreamClient } from './stream.ts';

export type Workers = Process & {
  node: TestNode;
  /** Which worker is which process, of all that were started: what the log says. */
  pids(): Map<string, number>;
};

export async function startWorkers(settings: Record<string, string> = {}): Promise<Workers> {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const shared = { REDIS_URL: inject('redisUrl'), KEY_PREFIX: prefix, JWT_SECRET };
  const parley = await startProcess({ ...shared, WORKERS: '2', LOG_LEVEL: 'info', ...settings });
  const pids = () =>
    new Map(
      [...parley.output().matchAll(/worker (n-\w+) is listening \(pid (\d+)\)/g)].map((said) => [
        said[1]!,
        Number(said[2]),
      ]),
    );
  // The log is written a moment later than the banner.
  await until('the log names both', () => pids().size === 2 || parley.child.exitCode !== null);
  return { ...parley, node: { url: parley.url, prefix } as TestNode, pids };
}

/** A connection, and the name of the worker that it was handed to. */
async function connection(url: string): Promise<{ agent: http.Agent; worker: string }> {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  onTestFinished(() => agent.destroy());
  const worker = await new Promise<string>((resolve, reject) => {
    const asked = http.get(`${url}/readyz`, { agent }, async (response) => {
      resolve(JSON.parse((await response.setEncoding('utf8').toArray()).join('')).node);
    });
    asked.on('error', reject);
  });
  return { agent, worker };
}

/** A stream on each worker. */
export async function listenOnEach(who: Person, howMany = 2): Promise<Map<string, StreamClient>> {
  const streams = new Map<string, StreamClient>();
  await until('each worker has a stream', async () => {
    const { agent, worker } = await connection(who.node.url);
    if (!streams.has(worker)) streams.set(worker, await listenOver(agent, who));
    return streams.size === howMany;
  });
  return streams;
}

/** A stream on this worker. */
export async function listenOn(worker: string, who: Person): Promise<StreamClient> {
  for (let tries = 0; tries < 20; tries += 1) {
    const found = await connection(who.node.url);
    if (found.worker === worker) return listenOver(found.agent, who);
  }
  throw new Error(`no connection came to ${worker}`);
}

async function listenOver(agent: http.Agent, who: Person): Promise<StreamClient> {
  const stream = await openStream(who.node.url, who.token, { agent });
  onTestFinished(() => stream.close());
  await stream.next('ready');
  return stream;
}
