/** One Parley process of a run, from dist/, behind a proxy of its own towards Redis. It is started again at its old address. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openProxy } from '../support/tcp-proxy.ts';
import { freePort, launch, type Program, until } from './processes.ts';

export const SECRET = 'a secret of the fault runs: 32 bytes or more';
const LISTENS_WITHIN_MS = 15_000;
/** A node that cannot start, because Redis is away, is tried again as a supervisor would. */
const RETRY_MS = 300;
/** Redis may be away for some seconds meanwhile. */
const STARTS = 30;

export type Node = Awaited<ReturnType<typeof startNode>>;

export async function startNode(options: { dist: string; redisPort: number; env: NodeJS.ProcessEnv }) {
  const proxy = await openProxy(options.redisPort);
  const port = await freePort();
  let program: Program;
  let startedAtMs = 0;
  /** What all its lives said, and when it was stopped: nobody answers then. */
  let said = '';
  const stops: { fromMs: number; toMs: number }[] = [];
  let isWanted = false;
  let endedByItself = 0;

  async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    for (let [isUp, tries] = [false, 1]; !isUp; tries += 1) {
      program = launch(process.execPath, [`${options.dist}/main.js`], {
        PORT: String(port),
        REDIS_URL: proxy.url,
        JWT_SECRET: SECRET,
        BCRYPT_COST: '4',
        LOGIN_LIMIT: '0',
        LOGIN_SUCCESS_LIMIT: '0',
        REGISTER_LIMIT: '0',
        SEND_LIMIT: '0',
        // raised, not off: one machine plays everybody
        ACCOUNT_BUDGET: '999999/1',
        NETWORK_BUDGET: '999999/1',
        ACCOUNT_IN_FLIGHT: '10000',
        NETWORK_IN_FLIGHT: '40000',
        CONNECTION_IN_FLIGHT: '1000',
        NETWORK_CONNECTIONS: '100000',
        LOG_LEVEL: 'warn',
        ...options.env,
        ...env,
      });
      const listens = () => program.said().includes('listens on');
      await until(() => listens() || !program.isAlive(), LISTENS_WITHIN_MS);
      isUp = listens() && program.isAlive();
      if (!isUp) await finish('SIGKILL');
      if (!isUp && tries === STARTS) throw new Error(`a node does not start:\n${said.slice(-2_000)}`);
      if (!isUp) await sleep(RETRY_MS);
    }
    startedAtMs = performance.now();
    isWanted = true;
    const mine = program;
    void mine.exited.then(() => {
      if (mine === program && isWanted) endedByItself += 1;
    });
  }

  async function finish(signal: NodeJS.Signals): Promise<void> {
    isWanted = false;
    program.signal(signal);
    await program.exited;
    said += program.said();
  }

  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    proxy,
    stops,
    pid: () => program.pid,
    startedAtMs: () => startedAtMs,
    /** As a load balancer sees it: a stopped process looks alive. */
    isUp: () => isWanted && program.isAlive(),
    said: () => said + program.said(),
    endedByItself: () => endedByItself,
    start,
    /** SIGKILL, or SIGTERM and wait until it is gone. */
    finish,
    stop(): void {
      stops.push({ fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
      program.signal('SIGSTOP');
    },
    goOn(): void {
      program.signal('SIGCONT');
      const last = stops.at(-1);
      if (last?.toMs === Number.POSITIVE_INFINITY) last.toMs = performance.now();
    },
    async end(): Promise<void> {
      program.signal('SIGCONT');
      await finish('SIGKILL');
      proxy.close();
    },
    resources: () => ({
      megabytes:
        Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${program.pid}/status`, 'utf8'))?.[1]) / 1024,
      descriptors: readdirSync(`/proc/${program.pid}/fd`).length,
    }),
  };
}
