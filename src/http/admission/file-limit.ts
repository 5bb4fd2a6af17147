/** How many connections this process may hold: each is an open file, and it needs some for itself. */
import { readFileSync } from 'node:fs';

/** Redis, the log, what is read from disk. */
const OWN_FILES = 48;
/** A network's share, where the operator has set no number, and the most that a household or an office has use for. */
const SHARE = 4;
const MOST = 1_000;

/** The limit that the kernel holds this process to; unknown where there is no /proc. */
export function openFileLimit(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** The connections of all networks together. */
export function processCap(files: number | undefined): number | undefined {
  return files === undefined ? undefined : Math.max(8, files - Math.max(OWN_FILES, Math.floor(files / 20)));
}

/** The connections of one network: as it was set, 0 for no limit, or a share of what there is. */
export function connectionCap(setting: number | 'auto', files: number | undefined): number {
  if (setting !== 'auto') return setting || Number.POSITIVE_INFINITY;
  const all = processCap(files);
  return all === undefined ? MOST : Math.min(MOST, Math.max(2, Math.floor(all / SHARE)));
}
