/**
 * The servers of one trial: a redis-server, a node with default settings that is attacked, a helper node on the same Redis
 * that prepares the data (never attacked, limits off, so that preparation takes seconds), and a stub.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { launch, type Program, until } from '../fault/processes.ts';
import { type RedisServer, startRedisServer } from '../fault/redis-server.ts';
import { freePort } from '../kit/ports.ts';
import { type Client, createClient, type Response } from './client.ts';

export type Person = { username: string; token: string; refreshToken: string };
export type Stage = {
  redis: RedisServer;
  /** Base URLs of the node under attack and of the stub. */
  url: string;
  stubUrl: string;
  /** A client of the helper node. */
  helper: Client;
  people(count: number, name: string): Promise<Person[]>;
  /** Resident memory of the node under attack, in MiB. */
  memory(): number;
  /** The process of the node under attack. */
  node: Program;
  end(): Promise<void>;
};

export const PASSWORD = 'correct horse battery';
const STARTS_WITHIN_MS = 20_000;
const PREPARATION_ATTEMPTS = 40;
/** Concurrent registrations. */
const CONCURRENCY = 4;
const SECRET = 'secret of the abuse suite: 32 bytes or more';

/** Lets the helper node create accounts and messages quickly. */
const LIMITS_OFF = {
  LOGIN_LIMIT: '0',
  REGISTER_LIMIT: '0',
  SEND_LIMIT: '0',
  ACCOUNT_BUDGET: '0',
  NETWORK_BUDGET: '0',
  ACCOUNT_IN_FLIGHT: '1000',
  NETWORK_IN_FLIGHT: '1000',
  CONNECTION_IN_FLIGHT: '1000',
  NETWORK_CONNECTIONS: '1000',
};

export async function openStage(options: {
  dist: string;
  env?: NodeJS.ProcessEnv;
  helperEnv?: NodeJS.ProcessEnv;
  openFiles?: number;
}): Promise<Stage> {
  const redis = await startRedisServer('everysec');
  const common = { REDIS_URL: `redis://127.0.0.1:${redis.port}`, JWT_SECRET: SECRET, LOG_LEVEL: 'warn' };
  const main = [`${options.dist}/main.js`];
  const [attacked, helperNode, stub] = await Promise.all([
    options.openFiles === undefined
      ? start(process.execPath, main, { ...common, ...options.env })
      : start('/bin/sh', withFileLimit(options.openFiles, main), { ...common, ...options.env }),
    start(process.execPath, main, { ...common, BCRYPT_COST: '4', ...LIMITS_OFF, ...options.helperEnv }),
    start(process.execPath, ['--import', import.meta.resolve('tsx'), here('stub.ts')], {}),
  ]);
  const helper = createClient(helperNode.url, '127.0.0.1');

  async function person(username: string): Promise<Person> {
    const body = { username, password: PASSWORD };
    await retryWhileBusy(() => helper.call('POST', '/v1/register', { body }));
    const login = await retryWhileBusy(() => helper.call('POST', '/v1/login', { body }));
    if (login.status !== 200)
      throw new Error(`${username} cannot log in: the server returned ${login.status}`);
    const { accessToken: token, refreshToken } = login.body;
    return { username, token, refreshToken };
  }

  return {
    redis,
    url: attacked.url,
    stubUrl: stub.url,
    helper,
    async people(count, name) {
      const all: Person[] = [];
      for (let index = 0; index < count; index += CONCURRENCY) {
        const batch = Array.from(
          { length: Math.min(CONCURRENCY, count - index) },
          (_, offset) => index + offset,
        );
        all.push(...(await Promise.all(batch.map((each) => person(`${name}${each}`)))));
      }
      return all;
    },
    memory: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${attacked.program.pid}/status`, 'utf8'))?.[1]) / 1024,
    node: attacked.program,
    async end() {
      helper.close();
      for (const { program } of [attacked, helperNode, stub]) {
        program.signal('SIGKILL');
        await program.exited;
      }
      await redis.end();
    },
  };
}

/** With the default bcrypt cost even the helper node can be busy. */
async function retryWhileBusy(work: () => Promise<Response>): Promise<Response> {
  for (let attempt = 1; ; attempt += 1) {
    const response = await work();
    const isBusy = response.status === 503 || response.status === 429;
    if (!isBusy || attempt === PREPARATION_ATTEMPTS) return response;
    await sleep(500);
  }
}

/** Arguments for a shell that sets the open file limit and then becomes the node. */
const withFileLimit = (files: number, main: string[]): string[] => [
  '-c',
  `ulimit -n ${files}; exec "$0" "$@"`,
  process.execPath,
  ...main,
];

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

async function start(command: string, args: string[], env: NodeJS.ProcessEnv) {
  const port = await freePort();
  const program = launch(command, args, { PORT: String(port), ...env });
  const listens = () => program.output().includes('listens on');
  await until(() => listens() || !program.isAlive(), STARTS_WITHIN_MS);
  if (!listens()) throw new Error(`${args.at(-1)} did not start:\n${program.output().slice(-2_000)}`);
  const actualPort = /listens on (?:http:\/\/[\d.]+:)?(\d+)/.exec(program.output())?.[1];
  return { program, url: `http://127.0.0.1:${actualPort}` };
}
