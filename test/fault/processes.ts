/**
 * The processes and folders of a run. All are killed by pid or removed at the end of the run, also after an interrupt or a
 * failure. Only a SIGKILL of the run itself leaves them behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const children = new Set<ChildProcess>();
const folders = new Set<string>();
const mounts = new Set<string>();
/** Only the end of the output of a process is stored. */
const MAX_OUTPUT_CHARS = 4_000_000;

function clean(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of mounts) execFileSync('umount', ['--lazy', folder]);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
process.on('exit', clean);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

export type Program = {
  pid: number;
  output(): string;
  isAlive(): boolean;
  signal(name: NodeJS.Signals): void;
  exited: Promise<void>;
};

export function launch(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(command, args, {
    cwd: '/', // not the root of the project: a developer may have a .env there
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let stored = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      stored = (stored + text).slice(-MAX_OUTPUT_CHARS);
    });
  }
  let isAlive = true;
  const exited = once(child, 'exit').then(() => {
    isAlive = false;
    children.delete(child);
  });
  return {
    pid: child.pid!,
    output: () => stored,
    isAlive: () => isAlive,
    signal: (name) => void child.kill(name),
    exited,
  };
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-fault-'));
  folders.add(folder);
  return folder;
}

export function removeFolder(folder: string): void {
  if (mounts.delete(folder)) execFileSync('umount', ['--lazy', folder]);
  rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

/** The machine does not support a fault: the fault is skipped and reported. */
export class NotPossibleHere extends Error {}

/** Mounts a small tmpfs; needs root on Linux. Throws if mounting is not permitted. */
export function smallDisk(megabytes: number): string {
  const folder = temporaryFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    throw new NotPossibleHere('mounting a tmpfs requires root');
  }
  mounts.add(folder);
  return folder;
}

/** Waits until a condition holds; returns false if it did not hold in time. */
export async function until(isTrue: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
