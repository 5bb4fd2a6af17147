/**
 * A dedicated redis-server that can be killed, stopped, filled up and restored. A SIGKILL alone does not lose written data,
 * because the kernel keeps the file; to simulate a power failure, the end of the append-only file is cut off.
 */
import { appendFileSync, cpSync, readdirSync, rmSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { freePort, launch, type Program, removeFolder, temporaryFolder, until } from './processes.ts';

export type Fsync = 'always' | 'everysec';
export type RedisServer = Awaited<ReturnType<typeof startRedisServer>>;

const READY_WITHIN_MS = 15_000;
const SAMPLE_EVERY_MS = 100;

export async function startRedisServer(fsync: Fsync, folder = temporaryFolder()) {
  const port = await freePort();
  const settings = {
    ...{ port, bind: '127.0.0.1', dir: folder, appendonly: 'yes', appendfsync: fsync, save: '' },
    // A rewrite during a run would fork and use up a core.
    'auto-aof-rewrite-percentage': 0,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const admin = new Redis({ port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  admin.on('error', () => {}); // expected: the runs kill Redis
  let program: Program;
  /** Recent sizes of the append-only file, so that recent writes can be cut off. */
  let sizes: { atMs: number; bytes: number }[] = [];
  /** The times at which it was started or accepted writes again. */
  const backAtMs: number[] = [];
  let shouldRun = true;
  let isStopped = false;
  let isRejecting = false;

  const appendOnlyDir = join(folder, 'appendonlydir');
  const ballast = join(folder, 'ballast');
  const appendOnlyFile = () => {
    const name = readdirSync(appendOnlyDir).findLast((each) => each.endsWith('.incr.aof'));
    if (!name) throw new Error(`no append-only file in ${appendOnlyDir}`);
    return join(appendOnlyDir, name);
  };
  const sampling = setInterval(() => {
    if (!program?.isAlive()) return;
    try {
      sizes.push({ atMs: performance.now(), bytes: statSync(appendOnlyFile()).size });
      sizes = sizes.slice(-50);
    } catch {
      // the file does not exist yet
    }
  }, SAMPLE_EVERY_MS);

  async function start(): Promise<void> {
    program = launch('redis-server', args);
    const hasStarted = () => program.output().includes('Ready to accept connections');
    await until(() => hasStarted() || !program.isAlive(), READY_WITHIN_MS);
    if (!hasStarted()) throw new Error(`redis-server did not start:\n${program.output()}`);
    backAtMs.push(performance.now());
  }

  async function kill(): Promise<void> {
    shouldRun = false;
    isStopped = false;
    program.signal('SIGCONT');
    program.signal('SIGKILL');
    await program.exited;
  }

  await start();
  await admin.connect();
  return {
    port,
    admin,
    backAtMs,
    isAlive: () => program.isAlive(),
    /** False between a kill and the restart. */
    shouldRun: () => shouldRun,
    output: () => program.output(),
    /** Stops reading and replying; connections stay open. */
    stop(): void {
      isStopped = true;
      program.signal('SIGSTOP');
    },
    resume(): void {
      program.signal('SIGCONT');
      if (isStopped) backAtMs.push(performance.now());
      isStopped = false;
    },
    /** Turns the rejection of writes on or off. */
    async rejectWrites(isOn: boolean): Promise<void> {
      await admin.config('SET', 'maxmemory', isOn ? '1mb' : '0');
      if (isRejecting && !isOn) backAtMs.push(performance.now());
      isRejecting = isOn;
    },
    kill,
    async start(): Promise<void> {
      await start();
      shouldRun = true;
    },
    /** After `kill`: drops the writes of the last `ms` milliseconds. */
    forget(ms: number): void {
      const before = sizes.findLast(({ atMs }) => atMs < performance.now() - ms);
      if (before) truncateSync(appendOnlyFile(), Math.min(before.bytes, statSync(appendOnlyFile()).size));
    },
    /** Copies the data and returns the path of the copy. */
    copy(): string {
      const target = join(temporaryFolder(), 'copy');
      cpSync(appendOnlyDir, target, { recursive: true });
      return target;
    },
    /** Fills the disk, if the data folder is on a small one. */
    fillDisk(): void {
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(65_536));
      } catch {
        // full
      }
    },
    freeDisk: () => rmSync(ballast, { force: true }),
    /** After `kill`: replaces the data with a copy. */
    restore(source: string): void {
      rmSync(appendOnlyDir, { recursive: true });
      cpSync(source, appendOnlyDir, { recursive: true });
    },
    async end(): Promise<void> {
      clearInterval(sampling);
      admin.disconnect();
      await kill();
      removeFolder(folder);
    },
  };
}
