/** Connection limits: each connection is an open file, and the process needs some files for itself. */
import { readFileSync } from 'node:fs';

/** For Redis, the log and files on disk. */
const OWN_FILES = 48;
/** By default a network may have a quarter of all connections, and no more than a large office needs. */
const SHARE = 4;
const MAX_PER_NETWORK = 1_000;

/** The limit of this process; unknown on systems without /proc. */
export function openFileLimit(): number | undefined {
  try {
    const limit = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))?.[1];
    return limit === undefined ? undefined : Number(limit);
  } catch {
    return undefined;
  }
}

/** The limit for all networks together. */
export function processCap(files: number | undefined): number | undefined {
  return files === undefined ? undefined : Math.max(8, files - Math.max(OWN_FILES, Math.floor(files / 20)));
}

/** The limit per network: the setting (0 for no limit), or a share of all connections. */
export function connectionCap(setting: number | 'auto', files: number | undefined): number {
  if (setting !== 'auto') return setting || Number.POSITIVE_INFINITY;
  const all = processCap(files);
  return all === undefined
    ? MAX_PER_NETWORK
    : Math.min(MAX_PER_NETWORK, Math.max(2, Math.floor(all / SHARE)));
}
