// The claim on a data directory: which process writes to it. Two servers on one append-only file destroy it, so the second
// is refused, with the name of the first; a claim whose process is gone is taken over.
// Known limit: containers that share a data directory but not their process ids do not see one another's claim.
import * as fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A file that says which process writes to the directory. Claim first, look round after: of two that come together at
 * least one sees the other; both may withdraw and try again, but never do both go on. A server that is on its way out
 * is waited for, so long. The name is unique to one process, so that a claim whose process is gone can be removed without a race.
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

/** Tells a process from a later one of the same pid, and from a zombie (Linux). Undefined when it is gone. */
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
