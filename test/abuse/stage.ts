/**
 * What one attack is tried on: a redis-server, a node with the settings that a newcomer gets, a second node on the same
 * Redis that is never attacked and whose caps are off (it prepares, so that preparing takes seconds), and a stub.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort, launch, type Program, until } from '../fault/processes.ts';
import { type RedisServer, startRedisServer } from '../fault/redis-server.ts';
import { type Answer, type Client, createClient } from './client.ts';

export type Person = { username: string; token: string; refreshToken: string };
export type Stage = {
  redis: RedisServer;
  /** Base URLs: of the node under attack, and of the stub. */
  url: string;
  stubUrl: string;
  /** Calls the node that prepares. */
  helper: Client;
  people(count: number, name: string): Promise<Person[]>;
  /** Resident memory of the node under attack, in MiB. */
  memory(): number;
  /** What the node under attack said, and whether it still runs. */
  node: Program;
  end(): Promise<void>;
};

export const PASSWORD = 'correct horse battery';
const STARTS_WITHIN_MS = 20_000;
const PREPARING_TRIES = 40;
/** Registrations at a time. */
const AT_ONCE = 4;
const SECRET = 'of the abuse suite: 32 bytes or more';

/** So that accounts and messages can be made quickly; only for the node that nobody attacks. */
const CAPS_OFF = {
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
  const [attacked, preparing, stub] = await Promise.all([
    options.openFiles === undefined
      ? start(process.execPath, main, { ...common, ...options.env })
      : start('/bin/sh', limited(options.openFiles, main), { ...common, ...options.env }),
    start(process.execPath, main, { ...common, BCRYPT_COST: '4', ...CAPS_OFF, ...options.helperEnv }),
    start(process.execPath, ['--import', import.meta.resolve('tsx'), here('stub.ts')], {}),
  ]);
  const helper = createClient(preparing.url, '127.0.0.1');

  async function person(username: string): Promise<Person> {
    const body = { username, password: PASSWORD };
    await patiently(() => helper.call('POST', '/v1/register', { body }));
    const login = await patiently(() => helper.call('POST', '/v1/login', { body }));
    if (login.status !== 200) throw new Error(`${username} cannot log in: ${login.status}`);
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
      for (let index = 0; index < count; index += AT_ONCE) {
        const some = Array.from({ length: Math.min(AT_ONCE, count - index) }, (_, more) => index + more);
        all.push(...(await Promise.all(some.map((each) => person(`${name}${each}`)))));
      }
      return all;
    },
    memory: () =>
      Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${attacked.program.pid}/status`, 'utf8'))?.[1]) / 1024,
    node: attacked.program,
    async end() {
      helper.close();
      for (const { program } of [attacked, preparing, stub]) {
        program.signal('SIGKILL');
        await program.exited;
      }
      await redis.end();
    },
  };
}

/** Passwords that cost what they cost a newcomer make even the node that prepares busy. */
async function patiently(work: () => Promise<Answer>): Promise<Answer> {
  for (let tries = 1; ; tries += 1) {
    const answer = await work();
    const isBusy = answer.status === 503 || answer.status === 429;
    if (!isBusy || tries === PREPARING_TRIES) return answer;
    await sleep(500);
  }
}

/** What a shell is given so that it becomes a node that may open so many files. */
const limited = (files: number, main: string[]): string[] => [
  '-c',
  `ulimit -n ${files}; exec "$0" "$@"`,
  process.execPath,
  ...main,
];

const here = (file: string): string => fileURLToPath(new URL(file, import.meta.url));

async function start(command: string, args: string[], env: NodeJS.ProcessEnv) {
  const port = await freePort();
  const program = launch(command, args, { PORT: String(port), ...env });
  const listens = () => program.said().includes('listens on');
  await until(() => listens() || !program.isAlive(), STARTS_WITHIN_MS);
  if (!listens()) throw new Error(`${args.at(-1)} did not start:\n${program.said().slice(-2_000)}`);
  const told = /listens on (?:http:\/\/[\d.]+:)?(\d+)/.exec(program.said())?.[1];
  return { program, url: `http://127.0.0.1:${told}` };
}
