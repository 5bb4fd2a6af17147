// Lock of a data directory: records which process writes to it. Two servers on one append-only file destroy it, so the
// second is rejected with the pid of the first; a lock whose process is gone is taken over.
// Known limit: containers that share a data directory but not a pid namespace do not see each other's lock.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A file that names the process writing to the directory. Lock first, check afterwards: of two that start together at
 * least one sees the other. Both may back off and retry, but never do both continue. A server that is shutting down is
 * waited for until the timeout. The name is unique to one process, so a stale lock can be removed without a race.
 */
export async function lockDataDir(dataDir: string, pid: number, patienceMs: number): Promise<string> {
  const name = `server-${pid}-${incarnation(pid)}.lock`;
  for (const since = Date.now(); ; await sleep(50 + 100 * Math.random())) {
    fs.writeFileSync(join(dataDir, name), '', { mode: 0o600 });
    const rival = fs.readdirSync(dataDir).find((other) => other !== name && isHeld(dataDir, other));
    if (!rival) return join(dataDir, name);
    fs.rmSync(join(dataDir, name));
    if (Date.now() - since < patienceMs) continue;
    const advice = 'stop the Parley it belongs to, or set another DATA_DIR, or give both the same REDIS_URL';
    throw new Error(`process ${rival.split('-')[1]} writes to the data directory ${dataDir}: ${advice}`);
  }
}

function isHeld(dataDir: string, name: string): boolean {
  const [, pid, born] = /^server-(\d+)-(\w+)\.lock$/.exec(name) ?? [];
  if (!pid) return false;
  const held = incarnation(Number(pid)) === born;
  if (!held) fs.rmSync(join(dataDir, name), { force: true });
  return held;
}

/** Distinguishes a process from a later one with the same pid, and from a zombie (Linux). Undefined if it is gone. */
function incarnation(pid: number): string | undefined {
  try {
    if (process.platform !== 'linux') return process.kill(pid, 0) ? 'alive' : undefined;
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' '); // before it: a name that may hold anything
    return fields[0] === 'Z' ? undefined : fields[19]; // when it started, in ticks since boot
  } catch {
    return undefined;
  }
}
