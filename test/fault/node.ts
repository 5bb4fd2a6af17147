/** One Parley process of a run, started from dist/, with its own proxy to Redis. It restarts on the same port. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { openProxy } from '../support/tcp-proxy.ts';
import { freePort, launch, type Program, until } from './processes.ts';

export const SECRET = 'secret of the fault runs: 32 bytes or more';
const LISTENS_WITHIN_MS = 15_000;
/** Like a supervisor, restarts a node that cannot start because Redis is unavailable. */
const RETRY_MS = 300;
/** Redis may be unavailable for several seconds. */
const START_ATTEMPTS = 30;

export type Node = Awaited<ReturnType<typeof startNode>>;

export async function startNode(options: { dist: string; redisPort: number; env: NodeJS.ProcessEnv }) {
  const proxy = await openProxy(options.redisPort);
  const port = await freePort();
  let program: Program;
  let startedAtMs = 0;
  /** The output of earlier processes, and the periods in which the process was stopped. */
  let earlierOutput = '';
  const stops: { fromMs: number; toMs: number }[] = [];
  let shouldRun = false;
  let unexpectedExits = 0;

  async function start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    for (let [isUp, attempt] = [false, 1]; !isUp; attempt += 1) {
      program = launch(process.execPath, [`${options.dist}/main.js`], {
        PORT: String(port),
        REDIS_URL: proxy.url,
        JWT_SECRET: SECRET,
        BCRYPT_COST: '4',
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
        ...options.env,
        ...env,
      });
      const listens = () => program.output().includes('listens on');
      await until(() => listens() || !program.isAlive(), LISTENS_WITHIN_MS);
      isUp = listens() && program.isAlive();
      if (!isUp) await finish('SIGKILL');
      if (!isUp && attempt === START_ATTEMPTS)
        throw new Error(`the node did not start:\n${earlierOutput.slice(-2_000)}`);
      if (!isUp) await sleep(RETRY_MS);
    }
    startedAtMs = performance.now();
    shouldRun = true;
    const current = program;
    void current.exited.then(() => {
      if (current === program && shouldRun) unexpectedExits += 1;
    });
  }

  async function finish(signal: NodeJS.Signals): Promise<void> {
    shouldRun = false;
    program.signal(signal);
    await program.exited;
    earlierOutput += program.output();
  }

  await start();
  return {
    url: `http://127.0.0.1:${port}`,
    proxy,
    stops,
    pid: () => program.pid,
    startedAtMs: () => startedAtMs,
    /** As seen by a load balancer: a stopped process looks alive. */
    isUp: () => shouldRun && program.isAlive(),
    output: () => earlierOutput + program.output(),
    unexpectedExits: () => unexpectedExits,
    start,
    /** Sends SIGKILL or SIGTERM and waits for the process to exit. */
    finish,
    stop(): void {
      stops.push({ fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
      program.signal('SIGSTOP');
    },
    resume(): void {
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
