/**
 * The processes of a bench: started here, measured through /proc, ended by their pid, whatever happens. The workers
 * also end by themselves when the bench is gone; what a SIGKILL of the bench leaves over is a Redis and the servers.
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const STOP_WITHIN_MS = 12_000;
/** The kernel's unit of CPU time, USER_HZ: 100 on every Linux that runs Node. */
const TICKS_PER_SECOND = 100;

/** Above this share of a core taken by others, a measurement says more about them than about us. */
export const OTHERS_LIMIT = 0.2;

const children = new Set<ChildProcess>();
const folders = new Set<string>();

/** The last resort, also after a failure. What is ended in order is no longer in these sets. */
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1));

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-bench-'));
  folders.add(folder);
  return folder;
}

export type Started = { pid: number; stop(): Promise<void> };

function keep(child: ChildProcess, name: string): Started {
  children.add(child);
  let isExpected = false;
  child.on('exit', (code, signal) => {
    children.delete(child);
    if (isExpected) return;
    process.stderr.write(`bench: ${name} ended by itself (${signal ?? code})\n`);
    process.exit(1);
  });
  return {
    pid: child.pid!,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      isExpected = true;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await gone;
      clearTimeout(late);
    },
  };
}

/** Resolves with what `until` found in the program's standard output. */
export async function startProgram(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; until: RegExp },
): Promise<Started & { found: RegExpExecArray }> {
  const child = spawn(command, args, {
    cwd: '/', // not the root of the project: a developer may have a .env there
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = keep(child, command);
  let said = '';
  const found = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.on('error', reject);
    child.stdout.on('data', (chunk: Buffer) => {
      if (said.length < 65_536) said += chunk;
      const match = options.until.exec(said);
      if (match) resolve(match);
    });
  });
  return { ...started, found };
}

/** What a worker process can be asked: one value in, one value out. */
// biome-ignore lint/suspicious/noExplicitAny: each worker's jobs have inputs of their own; `Worker` gives them back
type Jobs = Record<string, (input: any) => Promise<unknown>>;

export type Worker<J extends Jobs> = Started & {
  ask<Name extends keyof J>(name: Name, input: Parameters<J[Name]>[0]): Promise<Awaited<ReturnType<J[Name]>>>;
};

/** A worker runs in its own process, under tsx like the bench itself, and answers one question at a time. */
export function startWorker<J extends Jobs>(file: string): Worker<J> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)));
  const started = keep(child, file);
  return {
    ...started,
    ask: async (name, input) => {
      child.send({ name, input });
      const [{ answer, error }] = await once(child, 'message');
      if (error) throw new Error(`${file}: ${error}`);
      return answer;
    },
  };
}

/** The worker's own end. */
export function serve(jobs: Jobs): void {
  process.on('message', ({ name, input }: { name: string; input: unknown }) => {
    jobs[name]!(input).then(
      (answer) => process.send!({ answer: answer ?? null }),
      (error: unknown) => process.send!({ error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

/** CPU seconds that a process has used so far. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // After the name, which may hold anything but ends with the last bracket: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** CPU seconds that all processes of this machine have used; not what the kernel does in interrupts. */
function allCpuSeconds(): number {
  const [, user, nice, system] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 4).map(Number);
  return (user! + nice! + system!) / TICKS_PER_SECOND;
}

/**
 * CPU shares of processes from now until the function it answers is called; 1 is a whole core. `others` is what
 * everybody else on this machine took meanwhile.
 */
export function watchCpu<Name extends string>(
  pids: Record<Name, number>,
): () => Record<Name | 'others', number> {
  const names = Object.keys(pids) as Name[];
  const startedAt = performance.now();
  const look = () => [
    ...names.map((name) => cpuSeconds(pids[name])),
    allCpuSeconds() - cpuSeconds(process.pid),
  ];
  const before = look();
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const shares = look().map((now, i) => (now - before[i]!) / seconds);
    const all = shares.pop()!;
    const others = shares.reduce((rest, share) => rest - share, all);
    const entries = names.map((name, i) => [name, shares[i]]);
    return Object.fromEntries([...entries, ['others', Math.max(0, others)]]);
  };
}

/**
 * Waits until nobody else uses this machine; not longer than `patienceMs` in all, however often it is asked. Everything
 * of our own must be idle.
 */
export function createQuiet(patienceMs: number): () => Promise<void> {
  const LOOK_MS = 500;
  let left = patienceMs;
  return async () => {
    for (; left > 0; left -= LOOK_MS) {
      const watched = watchCpu({});
      await sleep(LOOK_MS);
      if (watched().others < OTHERS_LIMIT) return;
    }
  };
}

export function requireLinux(): void {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench reads /proc: it runs on Linux');
}
