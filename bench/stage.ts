/**
 * The processes of a bench: started here, measured through /proc, and always ended by pid. The workers also exit by
 * themselves when the bench is gone; a SIGKILL of the bench leaves only Redis and the servers behind.
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

/** If other processes use more than this share of a core, the measurement is not reliable. */
export const OTHERS_LIMIT = 0.2;

const children = new Set<ChildProcess>();
const folders = new Set<string>();

/** Last resort, also after a failure. Processes that were stopped normally are no longer in these sets. */
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

function track(child: ChildProcess, name: string): Started {
  children.add(child);
  let isExpected = false;
  child.on('exit', (code, signal) => {
    children.delete(child);
    if (isExpected) return;
    process.stderr.write(`bench: ${name} exited unexpectedly (${signal ?? code})\n`);
    process.exit(1);
  });
  return {
    pid: child.pid!,
    stop: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      isExpected = true;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timeout = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await exited;
      clearTimeout(timeout);
    },
  };
}

/** Resolves with the match of `until` in the program's standard output. */
export async function startProgram(
  command: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; until: RegExp },
): Promise<Started & { match: RegExpExecArray }> {
  const child = spawn(command, args, {
    cwd: '/', // not the root of the project: a developer may have a .env there
    env: { PATH: process.env['PATH'], ...options.env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const started = track(child, command);
  let output = '';
  const match = await new Promise<RegExpExecArray>((resolve, reject) => {
    child.on('error', reject);
    child.stdout.on('data', (chunk: Buffer) => {
      if (output.length < 65_536) output += chunk;
      const result = options.until.exec(output);
      if (result) resolve(result);
    });
  });
  return { ...started, match };
}

/** The jobs of a worker process: one input value, one result. `never` accepts jobs with any type of input. */
type Jobs = Record<string, (input: never) => Promise<unknown>>;

export type Worker<J extends Jobs> = Started & {
  ask<Name extends keyof J>(name: Name, input: Parameters<J[Name]>[0]): Promise<Awaited<ReturnType<J[Name]>>>;
};

/** Starts a worker in its own process, under tsx like the bench itself. It runs one job at a time. */
export function startWorker<J extends Jobs>(file: string): Worker<J> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)));
  const started = track(child, file);
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

/** Runs in the worker: executes jobs on request. */
export function serve(jobs: Jobs): void {
  process.on('message', ({ name, input }: { name: string; input: unknown }) => {
    jobs[name]!(input as never).then(
      (answer) => process.send!({ answer: answer ?? null }),
      (error: unknown) => process.send!({ error: String(error) }),
    );
  });
  process.on('disconnect', () => process.exit(0));
}

/** CPU seconds that a process has used so far. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Skip the name, which may contain anything and ends at the last bracket. State is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

export function rssBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1_024;
}

/** CPU seconds used by all processes of this machine, without interrupt handling. */
function allCpuSeconds(): number {
  const [, user, nice, system] = readFileSync('/proc/stat', 'utf8').split(/\s+/, 4).map(Number);
  return (user! + nice! + system!) / TICKS_PER_SECOND;
}

/**
 * Returns a function that reports the CPU shares of the processes since this call; 1 is a full core. `others` is the share
 * of all other processes of the machine.
 */
export function watchCpu<Name extends string>(
  pids: Record<Name, number>,
): () => Record<Name | 'others', number> {
  const names = Object.keys(pids) as Name[];
  const startedAt = performance.now();
  const sample = () => [
    ...names.map((name) => cpuSeconds(pids[name])),
    allCpuSeconds() - cpuSeconds(process.pid),
  ];
  const before = sample();
  return () => {
    const seconds = (performance.now() - startedAt) / 1_000;
    const shares = sample().map((now, i) => (now - before[i]!) / seconds);
    const all = shares.pop()!;
    const others = shares.reduce((rest, share) => rest - share, all);
    const entries = names.map((name, i) => [name, shares[i]]);
    return Object.fromEntries([...entries, ['others', Math.max(0, others)]]);
  };
}

/**
 * Returns a function that waits until no other process uses this machine, for at most `maxWaitMs` over all calls. The
 * bench's own processes must be idle.
 */
export function createQuiet(maxWaitMs: number): () => Promise<void> {
  const INTERVAL_MS = 500;
  let remaining = maxWaitMs;
  return async () => {
    for (; remaining > 0; remaining -= INTERVAL_MS) {
      const watched = watchCpu({});
      await sleep(INTERVAL_MS);
      if (watched().others < OTHERS_LIMIT) return;
    }
  };
}

export function requireLinux(): void {
  if (!existsSync('/proc/self/stat')) throw new Error('the bench needs Linux: it reads /proc');
}
