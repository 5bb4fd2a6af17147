/** Reads parts of a log, and the ends of many logs. */
import type { Store } from '../redis/client.ts';
import { type InboxKeys, inboxKeys, type LogKeys } from '../redis/keys.ts';
import { type Entry, type Position, parseEntry } from './entry.ts';

/** `state`: what the log's state continues with after its positions; see lua/lib/log.lua and lua/lib/inbox.lua. */
export type LogPart = { first: number; end: Position; entries: Entry[]; state?: number[] };

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

/** Scripts answer '-' where there is no entry. */
const markOf = (stored: string): string => (stored === '-' ? '' : stored);

export function createLogReader({ run, runBulk }: Store, newEpoch: () => string) {
  return {
    async read(
      log: LogKeys | InboxKeys,
      { after, before, count, maxBytes = READ_BYTES, minEntries = 1, requester = log.list, signal }: Window,
      parse: (seq: number, raw: string) => Entry = parseEntry,
    ): Promise<LogPart> {
      const keys = 'heavy' in log ? inboxKeys(log) : [log.list, log.hash];
      const window = [after ?? '', before ?? '', count, maxBytes, minEntries, newEpoch()];
      // A read of the end alone is cheap: it does not wait for a turn behind reads of entries.
      const reading =
        count === 0
          ? run('log-read', keys, window)
          : runBulk({ name: requester, signal }, 'log-read', keys, window);
      const [[epoch = '', mark = '', first = 1, seq = 0, ...state], start, raw] = await reading;
      const entries = raw.map((entry, index) => parse(start + index, entry));
      return { first, end: { epoch, seq, mark: markOf(mark) }, entries, state: state as number[] };
    },

    /** The current ends of several logs. */
    async ends(hashes: string[]): Promise<Position[]> {
      const flat = await run('log-positions', hashes);
      return hashes.map((_, i) => ({
        epoch: String(flat[3 * i]),
        seq: Number(flat[3 * i + 1]),
        mark: markOf(String(flat[3 * i + 2])),
      }));
    },
  };
}
