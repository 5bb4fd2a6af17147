/**
 * A real redis-server of one's own that can be killed, stopped, filled and set back. A SIGKILL alone loses nothing that
 * was written, since the kernel keeps the file; what a machine that loses its power would forget is cut off the end of
 * the append-only file by hand.
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
    // A rewrite in the middle of a run would fork and take a core.
    'auto-aof-rewrite-percentage': 0,
  };
  const args = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const admin = new Redis({ port, lazyConnect: true, maxRetriesPerRequest: null, retryStrategy: () => 50 });
  admin.on('error', () => {}); // it is killed all the time
  let program: Program;
  /** Sizes of the append-only file, so that what was written lately can be taken away. */
  let sizes: { atMs: number; bytes: number }[] = [];
  /** When it was started, or took writes again after it had been away. */
  const backAtMs: number[] = [];
  let isWanted = true;
  let isStopped = false;
  let isRefusing = false;

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
      // not there yet
    }
  }, SAMPLE_EVERY_MS);

  async function start(): Promise<void> {
    program = launch('redis-server', args);
    const hasStarted = () => program.said().includes('Ready to accept connections');
    await until(() => hasStarted() || !program.isAlive(), READY_WITHIN_MS);
    if (!hasStarted()) throw new Error(`redis-server did not start:\n${program.said()}`);
    backAtMs.push(performance.now());
  }

  async function kill(): Promise<void> {
    isWanted = false;
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
    /** False while somebody has killed it and will start it again. */
    isWanted: () => isWanted,
    said: () => program.said(),
    /** It takes and answers nothing, and stays connected. */
    stop(): void {
      isStopped = true;
      program.signal('SIGSTOP');
    },
    goOn(): void {
      program.signal('SIGCONT');
      if (isStopped) backAtMs.push(performance.now());
      isStopped = false;
    },
    /** Refuses writes from now on, or takes them again. */
    async refuseWrites(shall: boolean): Promise<void> {
      await admin.config('SET', 'maxmemory', shall ? '1mb' : '0');
      if (isRefusing && !shall) backAtMs.push(performance.now());
      isRefusing = shall;
    },
    kill,
    async start(): Promise<void> {
      await start();
      isWanted = true;
    },
    /** After `kill`: forget what was written in the last so many ms. */
    forget(ms: number): void {
      const before = sizes.findLast(({ atMs }) => atMs < performance.now() - ms);
      if (before) truncateSync(appendOnlyFile(), Math.min(before.bytes, statSync(appendOnlyFile()).size));
    },
    /** Answers where the copy is. */
    copy(): string {
      const target = join(temporaryFolder(), 'copy');
      cpSync(appendOnlyDir, target, { recursive: true });
      return target;
    },
    /** Nothing more can be written to its folder, if that is a small disk. */
    fillDisk(): void {
      try {
        for (;;) appendFileSync(ballast, Buffer.alloc(65_536));
      } catch {
        // full
      }
    },
    makeRoom: () => rmSync(ballast, { force: true }),
    /** After `kill`: be what a copy was. */
    becomeCopy(source: string): void {
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
