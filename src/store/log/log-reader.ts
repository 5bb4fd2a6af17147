/** Reads parts of a log, and the ends of many logs. */
import type { Store } from '../redis/client.ts';
import { type Entry, type Position, parseEntry } from './entry.ts';

export type LogPart = { first: number; end: Position; entries: Entry[]; meta: Record<string, string> };

/**
 * Exclusive bounds in seq. With `after`, the oldest `count` entries; without it, the newest; always oldest first. Stops
 * before exceeding `maxBytes`, but returns at least `minEntries`: a caller that needs the entry after a known one asks
 * for two.
 */
export type Window = {
  after?: number;
  before?: number;
  count: number;
  maxBytes?: number;
  minEntries?: number;
  /** On whose behalf, see `Requester`. Defaults to the list itself. */
  requester?: string;
  signal?: AbortSignal | undefined;
};
/** Maximum bytes per read: 10,000 entries of 16 KB would be 160 MB. */
export const READ_BYTES = 256 * 1024;

export function createLogReader({ run, runBulk }: Store) {
  return {
    async read(
      log: { list: string; meta: string },
      { after, before, count, maxBytes = READ_BYTES, minEntries = 1, requester = log.list, signal }: Window,
    ): Promise<LogPart> {
      const keys = [log.list, log.meta];
      const window = [after ?? '', before ?? '', count, maxBytes, minEntries];
      // A read of the end alone is cheap: it does not wait for a turn behind reads of entries.
      const reading =
        count === 0
          ? run('log-read', keys, window)
          : runBulk({ name: requester, signal }, 'log-read', keys, window);
      const [flat, start, raw] = await reading;
      const meta = fieldsOf(flat);
      return {
        first: Number(meta['first'] ?? 1),
        end: { epoch: meta['epoch'] ?? '', seq: Number(meta['last'] ?? 0), mark: meta['mark'] ?? '' },
        entries: raw.map((entry, index) => parseEntry(start + index, entry)),
        meta,
      };
    },

    /** The current ends of several logs. */
    async ends(metas: string[]): Promise<Position[]> {
      const flat = await run('log-positions', metas);
      return metas.map((_, i) => ({
        epoch: flat[3 * i]!,
        seq: Number(flat[3 * i + 1]),
        mark: flat[3 * i + 2]!,
      }));
    },
  };
}

function fieldsOf(flat: string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!;
  return fields;
}
