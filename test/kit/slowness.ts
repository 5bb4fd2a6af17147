/** Measures how much slower this machine is, now, than the quiet one for which the tests' time limits were written. */
import { spawnSync } from 'node:child_process';

/** Starting node and 20 million steps of a loop: on two quiet cores of an AMD EPYC, median of 20. */
const QUIET_MS = 75;
const PROGRAM = 'for (let n = 0; n < 2e7; n += 1);';
const SAMPLES = 5;
const MOST = 8;

/** At least 1, at most 8. */
export function measureSlowness(): number {
  const samples = Array.from({ length: SAMPLES }, () => {
    const startedAt = performance.now();
    spawnSync(process.execPath, ['-e', PROGRAM]);
    return performance.now() - startedAt;
  });
  return Math.min(MOST, Math.max(1, Math.max(...samples) / QUIET_MS));
}
