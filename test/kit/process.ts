/** Parley as its own process, for tests that kill it. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './app.ts';
import { built } from './built.ts';
import { freePort } from './ports.ts';

export type Process = {
  child: ChildProcess;
  url: string;
  output: () => string;
  exited: Promise<number | null>;
};

/**
 * `settings` is the whole environment but PATH; `before` is done by the shell that starts it. Waits until it listens,
 * unless it ends before.
 */
export async function startProcess(
  settings: Record<string, string>,
  cwd = dirname(built('main.js')), // not the root: a developer may have a .env there
  main = built('main.js'),
  before = ':',
): Promise<Process> {
  // Several workers cannot choose a port together without a moment in which another process may take it.
  const port = settings['WORKERS'] === undefined ? 0 : await freePort();
  const loader = main.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : [];
  const program = [process.execPath, ...loader, main];
  const child = spawn('/bin/sh', ['-c', `${before}; exec "$0" "$@"`, ...program], {
    cwd,
    env: { PATH: process.env['PATH'], PORT: String(port), BCRYPT_COST: '4', LOG_LEVEL: 'warn', ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream!.setEncoding('utf8').on('data', (text) => (output += text));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  let ended = false;
  void exited.then(() => (ended = true));
  await until('it listens', () => ended || output.includes('listens on'));
  const url = /listens on ([^\s"]+)/.exec(output)?.[1] ?? `http://127.0.0.1:${port}`;
  return { child, url, output: () => output, exited };
}

/** All that this process has started, and what that has: of those that live. */
export function descendants(pid: number): number[] {
  const rows = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat='], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , state]) => !state!.startsWith('Z'));
  const children = (of: number): number[] =>
    rows.filter(([, parent]) => Number(parent) === of).map(([child]) => Number(child));
  const all = children(pid);
  for (const child of all) all.push(...children(child));
  return all;
}

export function isAlive(pid: number): boolean {
  const state = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout.trim();
  return state !== '' && !state.startsWith('Z');
}
