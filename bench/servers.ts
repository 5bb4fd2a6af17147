/** The measured servers: a real Redis with production settings, Parley as a separate process, and the bare handler. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { type Started, startProgram, temporaryFolder } from './stage.ts';

export const SECRET = 'secret of the bench: 32 bytes or more';
const HOST = '127.0.0.1';

export type RedisServer = Started & { url: string; client: Redis };
/** `prefix`: the prefix of its keys and channels in Redis. */
export type Server = Started & { name: string; port: number; prefix: string };

const path = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/** Imports a module of dist/ with the types of src/, so that the bench measures the build. */
export const built = <Module>(name: string): Promise<Module> => import(path(`../dist/${name}`));

export function build(): void {
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: path('..'), stdio: 'inherit' });
}

export async function freePort(): Promise<number> {
  const probe = createServer().listen(0, HOST);
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo; // always an AddressInfo for TCP
  probe.close();
  await once(probe, 'close');
  return port;
}

export async function startRedis(): Promise<RedisServer> {
  const port = await freePort();
  const settings = {
    port,
    bind: HOST,
    dir: temporaryFolder(),
    appendonly: 'yes',
    appendfsync: 'everysec',
    save: '',
    // A rewrite during a run would fork and use up a core.
    'auto-aof-rewrite-percentage': 0,
    loglevel: 'notice',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const started = await startProgram('redis-server', args, { until: /Ready to accept connections/ });
  const client = new Redis({ host: HOST, port });
  return {
    ...started,
    url: `redis://${HOST}:${port}`,
    client,
    stop: async () => {
      client.disconnect();
      await started.stop();
    },
  };
}

/** Node flags for the servers, for example for a profile: `NODE_FLAGS="--cpu-prof --cpu-prof-dir=/tmp/prof" npm run bench sends` */
export const flags = (process.env['NODE_FLAGS'] ?? '').split(' ').filter(Boolean);

/** As in `npm start`. On Node 24 and 26 the young generation would otherwise grow to 128 MiB and is hardly given back. */
export const START_FLAGS = ['--max-semi-space-size=16'];

/** `before`: the dist/ folder of an older build to start instead, with its own data. `program`: another Node. */
export async function startParley(
  redis: RedisServer,
  env: NodeJS.ProcessEnv = {},
  before?: string,
  program = process.execPath,
): Promise<Server> {
  const [name, prefix] = before ? ['parley before', 'before:'] : ['parley', 'parley:'];
  const main = before ? `${resolve(before)}/main.js` : path('../dist/main.js');
  const { match, ...started } = await startProgram(program, [...START_FLAGS, ...flags, main], {
    env: {
      REDIS_URL: redis.url,
      KEY_PREFIX: prefix,
      JWT_SECRET: SECRET,
      PORT: '0',
      LOGIN_LIMIT: '0',
      LOGIN_SUCCESS_LIMIT: '0',
      REGISTER_LIMIT: '0',
      SEND_LIMIT: '0',
      // raised rather than disabled: one machine plays all clients
      ACCOUNT_BUDGET: '999999/1',
      NETWORK_BUDGET: '999999/1',
      ACCOUNT_IN_FLIGHT: '10000',
      NETWORK_IN_FLIGHT: '40000',
      CONNECTION_IN_FLIGHT: '1000',
      NETWORK_CONNECTIONS: '100000',
      LOG_LEVEL: 'warn',
      ...env,
    },
    until: /listens on http:\/\/127\.0\.0\.1:(\d+)/,
  });
  return { ...started, name, prefix, port: Number(match[1]) };
}

/** The ceiling for sends: bench/bare.ts. */
export async function startBare(redis: RedisServer): Promise<Server> {
  const prefix = 'bare:';
  const args = [...flags, ...process.execArgv, path('bare.ts')];
  const { match, ...started } = await startProgram(process.execPath, args, {
    env: { REDIS_URL: redis.url, KEY_PREFIX: prefix, JWT_SECRET: SECRET },
    until: /listens on (\d+)/,
  });
  return { ...started, name: 'bare node:http', prefix, port: Number(match[1]) };
}
