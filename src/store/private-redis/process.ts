// One process of the private Redis, from start to exit. It has its own session, so Ctrl-C in a terminal does not reach
// it, and it exits when Parley exits, even after a SIGKILL: the WebAssembly server because its standard input ends, a
// native one through its guard. Both are children of this process, which reaps them: an orphan would stay a zombie if
// Parley is PID 1.
import { type ChildProcess, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { removeTemporaryFiles } from './data-dir.ts';
import { lockDataDir } from './data-dir-lock.ts';

export type ServerOptions = {
  /** The path of its socket. */
  socket: string;
  stopping: AbortSignal;
  /** For a native server. `prepare` is called once this server holds the lock on the directory. */
  data?: { dataDir: string; prepare: () => void };
};
/** `ended` resolves with the reason and the last lines of output. */
export type Server = { ended: Promise<string> };

const EXIT_TIMEOUT_MS = 5_000; // time for a server to flush its file and exit; then SIGKILL
const START_TIMEOUT_MS = 30_000; // without a reply; a server that loads a large file replies LOADING

/**
 * Waits on standard input, which ends when Parley exits, then kills the server ($1): acknowledged writes are on disk.
 * The pid may belong to another process by now, so its start time is compared (on Linux).
 */
const GUARD_SCRIPT = `
trap '' TERM INT HUP
PATH=$PATH:/usr/bin:/bin
started() { [ -r "/proc/$1/stat" ] && read -r stat <"/proc/$1/stat" && set -- \${stat##*) } && echo "\${20}"; }
start=$(started "$1")
read -r nothing
[ "$(started "$1")" = "$start" ] && kill -9 "$1"
rm -f "$0"; rmdir "\${0%/*}"`;

/** Resolves when the server answers PING. */
export async function startServerProcess(
  command: string[],
  { socket, stopping, data }: ServerOptions,
): Promise<Server> {
  // `tsx` is found from this directory, wherever Parley was started.
  const child = spawn(command[0]!, command.slice(1), {
    detached: true,
    cwd: import.meta.dirname,
    env: {}, // Parley's secrets must not reach it
  });
  child.stdin.on('error', () => undefined); // `ended` reports a server that has already exited
  const lastLines: string[] = [];
  for (const output of [child.stdout, child.stderr]) {
    createInterface(output).on('line', (line) => lastLines.push(line) > 10 && lastLines.shift());
  }
  const ended = new Promise<string>((done) => {
    child.once('error', (error) => done(error.message));
    child.once('close', (code, signal) => done([signal ?? `exit code ${code}`, ...lastLines].join('\n  ')));
  });
  if (!child.pid) throw new Error(await ended);

  const cleanups: (() => void)[] = [];
  const terminate = () => {
    const force = setTimeout(() => child.kill('SIGKILL'), EXIT_TIMEOUT_MS);
    cleanups.push(() => clearTimeout(force));
    if (data) shutDown(socket).catch(() => child.kill('SIGKILL'));
    else child.stdin.end();
  };
  stopping.addEventListener('abort', terminate);
  cleanups.push(() => stopping.removeEventListener('abort', terminate));
  ended.then(() => {
    for (const cleanup of cleanups) cleanup();
  });
  try {
    if (data) cleanups.push(...(await prepareDataDir(data, socket, child.pid)));
    child.stdin.write('start\n');
    await waitUntilReady(socket, ended, lastLines);
    return { ended };
  } catch (error) {
    child.kill('SIGKILL');
    await ended;
    throw error;
  }
}

/** Prepares the start of a native server; returns the cleanup to run after it has exited. */
async function prepareDataDir(
  { dataDir, prepare }: NonNullable<ServerOptions['data']>,
  socket: string,
  pid: number,
): Promise<(() => void)[]> {
  const lock = await lockDataDir(dataDir, pid, EXIT_TIMEOUT_MS);
  const dumpBlocker = join(dataDir, `temp-${pid}.rdb`);
  const cleanups = [
    () => fs.rmSync(dumpBlocker, { recursive: true, force: true }),
    () => fs.rmSync(lock, { force: true }),
  ];
  try {
    removeTemporaryFiles(dataDir);
    prepare();
    // A directory at the path of the server's dump file makes every save fail, whatever the settings, so that a signal
    // sent to all processes at once cannot end the server (server.ts).
    fs.mkdirSync(dumpBlocker, { mode: 0o700 });
    const guard = await startGuard(socket, pid);
    return [() => guard.kill('SIGKILL'), ...cleanups];
  } catch (error) {
    for (const cleanup of cleanups) cleanup();
    throw error;
  }
}

async function startGuard(socket: string, pid: number): Promise<ChildProcess> {
  const guard = spawn('/bin/sh', ['-c', GUARD_SCRIPT, socket, String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
  });
  guard.stdin!.on('error', () => undefined);
  await new Promise((resolve, reject) => guard.once('spawn', resolve).once('error', reject));
  guard.unref();
  return guard;
}

async function waitUntilReady(socket: string, ended: Promise<string>, lastLines: string[]): Promise<void> {
  for (let repliedAt = Date.now(); ; ) {
    const reply = await ask(socket, 'PING');
    if (reply.startsWith('+PONG')) return;
    if (reply) repliedAt = Date.now();
    if (Date.now() - repliedAt > START_TIMEOUT_MS)
      throw new Error([`no reply within ${START_TIMEOUT_MS / 1000} s`, ...lastLines].join('\n  '));
    const reason = await Promise.race([ended, sleep(20)]);
    if (reason) throw new Error(reason);
  }
}

/** Ask the server to shut down; no reply means that it will. */
async function shutDown(socket: string): Promise<void> {
  if (!fs.existsSync(socket)) throw new Error('the server does not listen yet');
  const reply = await ask(socket, 'SHUTDOWN NOSAVE', EXIT_TIMEOUT_MS);
  if (reply) throw new Error(reply);
}

/** The first bytes of the reply, or an empty string. */
function ask(path: string, command: string, timeoutMs = 1_000): Promise<string> {
  return new Promise((done) => {
    const socket = connect(path, () => socket.write(`${command}\r\n`));
    socket.once('data', (bytes) => done(bytes.toString())).once('data', () => socket.destroy());
    socket.setTimeout(timeoutMs, () => socket.destroy());
    socket.on('error', () => undefined).once('close', () => done(''));
  });
}
