// Lock of a data directory: records which process writes to it. Two servers on one append-only file destroy it, so the
// second is rejected with the pid of the first; a lock whose process is gone is taken over.
// Known limit: containers that share a data directory but not a pid namespace do not see each other's lock.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Returns the path of the lock file, which names the process writing to the directory. Lock first, check afterwards: of
 * two that start together at least one sees the other. Both may back off and retry, but they never both continue. Waits
 * until the timeout for a server that is shutting down. The name is unique to one process, so a stale lock can be removed
 * without a race.
 */
export async function lockDataDir(dataDir: string, pid: number, timeoutMs: number): Promise<string> {
  const name = `server-${pid}-${startTimeOf(pid)}.lock`;
  for (const since = Date.now(); ; await sleep(50 + 100 * Math.random())) {
    fs.writeFileSync(join(dataDir, name), '', { mode: 0o600 });
    const rival = fs.readdirSync(dataDir).find((other) => other !== name && isLocked(dataDir, other));
    if (!rival) return join(dataDir, name);
    fs.rmSync(join(dataDir, name));
    if (Date.now() - since < timeoutMs) continue;
    const remedy = 'Stop the Parley that owns it, set a different DATA_DIR, or give both the same REDIS_URL.';
    throw new Error(`process ${rival.split('-')[1]} is using the data directory ${dataDir}. ${remedy}`);
  }
}

/** Whether `name` is the lock of a running process. Removes the lock of one that is gone. */
function isLocked(dataDir: string, name: string): boolean {
  const [, pid, startedAt] = /^server-(\d+)-(\w+)\.lock$/.exec(name) ?? [];
  if (!pid) return false;
  const isRunning = startTimeOf(Number(pid)) === startedAt;
  if (!isRunning) fs.rmSync(join(dataDir, name), { force: true });
  return isRunning;
}

/** Distinguishes a process from a later one with the same pid (on Linux). Undefined if it is gone or a zombie. */
function startTimeOf(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') return process.kill(pid, 0) ? 'alive' : undefined;
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // the process name before it may contain anything
    return fields[0] === 'Z' ? undefined : fields[19]; // start time in ticks since boot
  } catch {
    return undefined;
  }
}
