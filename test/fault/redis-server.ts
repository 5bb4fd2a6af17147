/**
 * A dedicated redis-server that can be killed, stopped, filled up and restored. A SIGKILL alone does not lose written data,
 * because the kernel keeps the file; to simulate a power failure, the end of the append-only file is cut off.
 */
import { appendFileSync, cpSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort } from '../kit/ports.ts';
import { launch, type Program, removeFolder, temporaryFolder, until } from './processes.ts';

export type Fsync = 'always' | 'everysec';

const READY_WITHIN_MS = 15_000;
const SAMPLE_EVERY_MS = 100;
/** The file that fills a small disk. */
const BALLAST = 'ballast';

export async function startRedisServer(fsync: Fsync, folder = temporaryFolder()): Promise<RedisServer> {
  const server = new RedisServer(await freePort(), fsync, folder);
  await server.start();
  await server.admin.connect();
  return server;
}

export class RedisServer {
  readonly port: number;
  readonly admin: Redis;
  /** The times at which it was started or accepted writes again. */
  readonly backAtMs: number[] = [];
  readonly #folder: string;
  readonly #args: string[];
  readonly #data: AppendOnlyData;
  #program: Program | undefined;
  #shouldRun = true;
  #isStopped = false;
  #isRejecting = false;

  constructor(port: number, fsync: Fsync, folder: string) {
    const settings = {
      ...{ port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: fsync, save: '' },
      // A rewrite during a run would fork and use up a core.
      'auto-aof-rewrite-percentage': 0,
    };
    this.port = port;
    this.#folder = folder;
    this.#args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
    this.#data = new AppendOnlyData(folder, () => this.#program?.isAlive() ?? false);
    this.admin = new Redis({ port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 50 });
    this.admin.on('error', () => {}); // expected: the runs kill Redis
  }

  get #current(): Program {
    if (!this.#program) throw new Error('Redis was never started');
    return this.#program;
  }

  isAlive(): boolean {
    return this.#current.isAlive();
  }

  /** False between a kill and the restart. */
  shouldRun(): boolean {
    return this.#shouldRun;
  }

  output(): string {
    return this.#current.output();
  }

  async start(): Promise<void> {
    const program = launch('redis-server', this.#args);
    this.#program = program;
    const hasStarted = () => program.output().includes('Ready to accept connections');
    await until(() => hasStarted() || !program.isAlive(), READY_WITHIN_MS);
    if (!hasStarted()) throw new Error(`redis-server did not start:\n${program.output()}`);
    this.backAtMs.push(performance.now());
    this.#shouldRun = true;
  }

  async kill(): Promise<void> {
    this.#shouldRun = false;
    this.#isStopped = false;
    this.#current.signal('SIGCONT');
    this.#current.signal('SIGKILL');
    await this.#current.exited;
  }

  /** Stops reading and replying; connections stay open. */
  stop(): void {
    this.#isStopped = true;
    this.#current.signal('SIGSTOP');
  }

  resume(): void {
    this.#current.signal('SIGCONT');
    if (this.#isStopped) this.backAtMs.push(performance.now());
    this.#isStopped = false;
  }

  /** Turns the rejection of writes on or off. */
  async rejectWrites(isOn: boolean): Promise<void> {
    await this.admin.config('SET', 'maxmemory', isOn ? '1mb' : '0');
    if (this.#isRejecting && !isOn) this.backAtMs.push(performance.now());
    this.#isRejecting = isOn;
  }

  /** After `kill`: drops the writes of the last `ms` milliseconds. */
  forget(ms: number): void {
    this.#data.forget(ms);
  }

  /** Copies the data and returns the path of the copy. */
  copy(): string {
    return this.#data.copy();
  }

  /** After `kill`: replaces the data with a copy. */
  restore(source: string): void {
    this.#data.restore(source);
  }

  /** Fills the disk, if the data folder is on a small one. */
  fillDisk(): void {
    try {
      for (;;) appendFileSync(join(this.#folder, BALLAST), Buffer.alloc(65_536));
    } catch {
      // full
    }
  }

  freeDisk(): void {
    rmSync(join(this.#folder, BALLAST), { force: true });
  }

  async end(): Promise<void> {
    this.#data.stopSampling();
    this.admin.disconnect();
    await this.kill();
    removeFolder(this.#folder);
  }
}

/** The append-only file, and its recent sizes, so that recent writes can be cut off. */
class AppendOnlyData {
  readonly #folder: string;
  #sizes: { atMs: number; bytes: number }[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(dataFolder: string, isServerAlive: () => boolean) {
    this.#folder = join(dataFolder, 'appendonlydir');
    this.#timer = setInterval(() => {
      if (isServerAlive()) this.#sample();
    }, SAMPLE_EVERY_MS);
  }

  stopSampling(): void {
    clearInterval(this.#timer);
  }

  forget(ms: number): void {
    const before = this.#sizes.findLast(({ atMs }) => atMs < performance.now() - ms);
    const file = this.#file();
    if (before) truncateSync(file, Math.min(before.bytes, statSync(file).size));
  }

  copy(): string {
    const target = join(temporaryFolder(), 'copy');
    cpSync(this.#folder, target, { recursive: true });
    return target;
  }

  restore(source: string): void {
    rmSync(this.#folder, { recursive: true });
    cpSync(source, this.#folder, { recursive: true });
  }

  #file(): string {
    const name = readdirSync(this.#folder).findLast((each) => each.endsWith('.incr.aof'));
    if (!name) throw new Error(`no append-only file in ${this.#folder}`);
    return join(this.#folder, name);
  }

  #sample(): void {
    try {
      this.#sizes.push({ atMs: performance.now(), bytes: statSync(this.#file()).size });
      this.#sizes = this.#sizes.slice(-50);
    } catch {
      // the file does not exist yet
    }
  }
}
