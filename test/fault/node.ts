/** One Parley process of a run, started from dist/, with its own proxy to Redis. It restarts on the same port. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../kit/ports.ts';
import { openProxy, type TcpProxy } from '../kit/tcp-proxy.ts';
import { launch, type Program, until } from './processes.ts';

export const SECRET = 'secret of the fault runs: 32 bytes or more';
/** Limits are disabled, or raised where that is not possible: one machine plays all clients. */
const SETTINGS = {
  JWT_SECRET: SECRET,
  BCRYPT_COST: '4',
  LOGIN_LIMIT: '0',
  LOGIN_SUCCESS_LIMIT: '0',
  REGISTER_LIMIT: '0',
  SEND_LIMIT: '0',
  ACCOUNT_BUDGET: '999999/1',
  NETWORK_BUDGET: '999999/1',
  ACCOUNT_IN_FLIGHT: '10000',
  NETWORK_IN_FLIGHT: '40000',
  CONNECTION_IN_FLIGHT: '1000',
  NETWORK_CONNECTIONS: '100000',
  LOG_LEVEL: 'warn',
};
const LISTENS_WITHIN_MS = 15_000;
/** Like a supervisor, restarts a node that cannot start because Redis is unavailable. */
const RETRY_MS = 300;
/** Redis may be unavailable for several seconds. */
const START_ATTEMPTS = 30;

export type NodeOptions = { dist: string; redisPort: number; env: NodeJS.ProcessEnv };

export async function startNode(options: NodeOptions): Promise<Node> {
  const node = new Node(options, await openProxy(options.redisPort), await freePort());
  await node.start();
  return node;
}

export class Node {
  readonly url: string;
  readonly proxy: TcpProxy;
  /** The periods in which the process was stopped. */
  readonly stops: { fromMs: number; toMs: number }[] = [];
  readonly #options: NodeOptions;
  readonly #port: number;
  #program: Program | undefined;
  #startedAtMs = 0;
  /** The output of earlier processes. */
  #earlierOutput = '';
  #shouldRun = false;
  #unexpectedExits = 0;

  constructor(options: NodeOptions, proxy: TcpProxy, port: number) {
    this.#options = options;
    this.proxy = proxy;
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
  }

  get #current(): Program {
    if (!this.#program) throw new Error('the node was never started');
    return this.#program;
  }

  pid(): number {
    return this.#current.pid;
  }

  startedAtMs(): number {
    return this.#startedAtMs;
  }

  /** As seen by a load balancer: a stopped process looks alive. */
  isUp(): boolean {
    return this.#shouldRun && this.#current.isAlive();
  }

  output(): string {
    return this.#earlierOutput + this.#current.output();
  }

  unexpectedExits(): number {
    return this.#unexpectedExits;
  }

  resources(): { megabytes: number; descriptors: number } {
    const { pid } = this.#current;
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return {
      megabytes: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
    };
  }

  async start(env: NodeJS.ProcessEnv = {}): Promise<void> {
    for (let attempt = 1; !(await this.#tryToStart(env)); attempt += 1) {
      if (attempt === START_ATTEMPTS)
        throw new Error(`the node did not start:\n${this.#earlierOutput.slice(-2_000)}`);
      await sleep(RETRY_MS);
    }
    this.#startedAtMs = performance.now();
    this.#shouldRun = true;
    const program = this.#current;
    void program.exited.then(() => {
      if (program === this.#program && this.#shouldRun) this.#unexpectedExits += 1;
    });
  }

  /** Sends SIGKILL or SIGTERM and waits for the process to exit. */
  async finish(signal: NodeJS.Signals): Promise<void> {
    this.#shouldRun = false;
    const program = this.#current;
    program.signal(signal);
    await program.exited;
    this.#earlierOutput += program.output();
  }

  /** Stops the process with SIGSTOP; connections stay open. */
  stop(): void {
    this.stops.push({ fromMs: performance.now(), toMs: Number.POSITIVE_INFINITY });
    this.#current.signal('SIGSTOP');
  }

  resume(): void {
    this.#current.signal('SIGCONT');
    const last = this.stops.at(-1);
    if (last?.toMs === Number.POSITIVE_INFINITY) last.toMs = performance.now();
  }

  async end(): Promise<void> {
    this.#current.signal('SIGCONT');
    await this.finish('SIGKILL');
    this.proxy.close();
  }

  async #tryToStart(env: NodeJS.ProcessEnv): Promise<boolean> {
    const { dist, env: nodeEnv } = this.#options;
    const program = launch(process.execPath, [`${dist}/main.js`], {
      ...SETTINGS,
      PORT: String(this.#port),
      REDIS_URL: this.proxy.url,
      ...nodeEnv,
      ...env,
    });
    this.#program = program;
    const listens = () => program.output().includes('listens on');
    await until(() => listens() || !program.isAlive(), LISTENS_WITHIN_MS);
    const isUp = listens() && program.isAlive();
    if (!isUp) await this.finish('SIGKILL');
    return isUp;
  }
}
