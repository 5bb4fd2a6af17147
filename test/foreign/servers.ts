/** A Redis and two Parley nodes: readers reach the first through a proxy that can be closed, writers use the second. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPrivateRedis } from '../../src/store/private-redis/server.ts';
import { openProxy } from '../kit/tcp-proxy.ts';
import { ROOT } from './generators.ts';

const LISTENS_WITHIN_MS = 20_000;
const SECRET = 'secret of the foreign tools: 32 bytes or more';

export type Servers = Awaited<ReturnType<typeof startServers>>;

export async function until(what: string, condition: () => boolean, withinMs: number): Promise<void> {
  for (const deadline = Date.now() + withinMs; !condition(); await sleep(20)) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
  }
}

type Node = { child: ChildProcess; port: number };

async function startNode(redisUrl: string, port: number): Promise<Node> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts'], {
    cwd: join(ROOT, 'src'), // not ROOT: a developer may have a .env there
    env: {
      ...{ PATH: process.env['PATH'], PORT: String(port), REDIS_URL: redisUrl, JWT_SECRET: SECRET },
      ...{
        BCRYPT_COST: '4',
        LOG_LEVEL: 'error',
        SEND_LIMIT: '0',
        REGISTER_LIMIT: '0',
        LOGIN_LIMIT: '0',
        LOGIN_SUCCESS_LIMIT: '0',
      },
      ...{ ACCOUNT_BUDGET: '20000/1', NETWORK_BUDGET: '200000/1' },
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  process.on('exit', () => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const address = () => /listens on http:\/\/127\.0\.0\.1:(\d+)/.exec(output)?.[1];
  const listens = () => address() !== undefined || child.exitCode !== null;
  await until('Parley listens', listens, LISTENS_WITHIN_MS);
  if (child.exitCode !== null) throw new Error(`Parley exited: ${output}`);
  return { child, port: Number(address()) };
}

async function stopNode({ child }: Node): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGTERM');
  await once(child, 'exit');
}

export async function startServers() {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-foreign-'));
  const { PATH: path = '' } = process.env;
  const redis = await startPrivateRedis({ dataDir, path, log: (line) => process.stderr.write(`${line}\n`) });
  let front = await startNode(redis.url, 0);
  const back = await startNode(redis.url, 0);
  const proxy = await openProxy(front.port);
  return {
    frontUrl: proxy.url.replace('redis:', 'http:'),
    backUrl: `http://127.0.0.1:${back.port}`,
    /** Breaks all reader connections and rejects new ones while `meanwhile` runs. */
    drop: async (meanwhile: () => Promise<void>): Promise<void> => {
      proxy.refuse(true);
      await meanwhile();
      proxy.refuse(false);
    },
    /** Stops the readers' node gracefully and starts it again after `meanwhile`. */
    restart: async (meanwhile: () => Promise<void>): Promise<void> => {
      await stopNode(front);
      await meanwhile();
      front = await startNode(redis.url, front.port);
    },
    stop: async (): Promise<void> => {
      proxy.close();
      await Promise.all([stopNode(front), stopNode(back)]);
      await redis.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
