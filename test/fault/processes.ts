/**
 * The processes and folders of a run. Each is ended by its pid and removed when the run is over, also when it was
 * interrupted or has failed. A SIGKILL of the run itself leaves them behind.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const children = new Set<ChildProcess>();
const folders = new Set<string>();
const mounts = new Set<string>();
/** Of what a process says the end is kept. */
const KEPT_CHARS = 4_000_000;

function clean(): void {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of mounts) execFileSync('umount', ['--lazy', folder]);
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
process.on('exit', clean);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(130));

export type Program = {
  pid: number;
  said(): string;
  isAlive(): boolean;
  signal(name: NodeJS.Signals): void;
  exited: Promise<void>;
};

export function launch(command: string, args: string[], env: NodeJS.ProcessEnv = {}): Program {
  const child = spawn(command, args, {
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-KEPT_CHARS);
    });
  }
  let isAlive = true;
  const exited = once(child, 'exit').then(() => {
    isAlive = false;
    children.delete(child);
  });
  return {
    pid: child.pid!,
    said: () => said,
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

/** This machine does not allow what a fault needs: it is left out, and that is said. */
export class NotPossibleHere extends Error {}

/** A small disk of its own; needs root on Linux. Throws where that is not allowed. */
export function smallDisk(megabytes: number): string {
  const folder = temporaryFolder();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch {
    throw new NotPossibleHere('a tmpfs cannot be mounted here; it needs root');
  }
  mounts.add(folder);
  return folder;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Waits until something is true; false when it did not become true in time. */
export async function until(isTrue: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  while (!(await isTrue())) {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}
