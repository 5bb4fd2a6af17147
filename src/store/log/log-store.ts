/**
 * The three uses of a log: broadcasts, conversations, inboxes. Owns the entry format, position arithmetic, and the
 * scripts that append. Every write is one script, so it happens completely or not at all.
 */
import type { RateLimit } from '../../rate-limit.ts';
import { createInboxes, type InboxState, inboxKeys } from '../inboxes.ts';
import type { Store } from '../redis/client.ts';
import type { LogKeys } from '../redis/keys.ts';

/**
 * A position in a log. `epoch` identifies one life of the log (generated with its first entry). `mark` is the end of
 * the id of the message at `seq`: it distinguishes a log that lost its newest entries and grew again from the one that
 * was read. START is the position before the first entry.
 */
export type Position = { epoch: string; seq: number; mark: string };
export const START: Position = { epoch: '', seq: 0, mark: '' };

export type Entry = {
  seq: number;
  /** The session that sent it, if the entry must not be echoed to that session; otherwise '-'. */
  origin: string;
  /** The message as one line of JSON, sent to clients byte for byte. */
  message: string;
};

export type LogPart = { first: number; end: Position; entries: Entry[]; meta: Record<string, string> };

/**
 * Exclusive bounds in seq. With `after`, the oldest `count` entries; without it, the newest; always oldest first. Stops
 * before exceeding `maxBytes`, but returns at least `least` entries: a caller that needs the entry after a known one
 * asks for two.
 */
export type Window = {
  after?: number;
  before?: number;
  count: number;
  maxBytes?: number;
  minEntries?: number;
  /** On whose behalf, see `Asker`. Defaults to the list itself. */
  requester?: string;
  signal?: AbortSignal | undefined;
};
/** Maximum bytes per read: 10,000 entries of 16 KB would be 160 MB. */
export const READ_BYTES = 256 * 1024;

/** Messages from others, as JSON. If `hasMore`, continue after `lookedTo`. */
export type MailboxPart = {
  state: Pick<InboxState, 'acked' | 'unread' | 'overflowed'>;
  first: number;
  scannedTo: number;
  /** Seq of the first and the last tombstone that were passed; 0 if none. */
  evictedFrom: number;
  evictedTo: number;
  hasMore: boolean;
  messages: string[];
};

export type Draft = {
  id: string;
  sid: string;
  /** Digest of account and idempotency key, or '-'. */
  key: string;
  /** The message as JSON without `seq` and the closing brace. */
  jsonPrefix: string;
  limitedAs: string;
};
export type AppendResult =
  | { outcome: 'appended' | 'replayed'; message: string }
  | { outcome: 'limited'; waitMs: number }
  | { outcome: 'unknown' }
  | { outcome: 'mailbox_full' }
  | { outcome: 'quota_exceeded' };

/** Retention per log, in entries and bytes; per account, the bytes it has sent. */
export type Retention = {
  broadcasts: number;
  broadcastBytes: number;
  history: number;
  historyBytes: number;
  inbox: number;
  inboxBytes: number;
  accountBytes: number;
};

/** `{"id":"` and a UUID: where the id, and its last eight characters, stand in a message's JSON. */
const ID_AT = 7;
const ID_LENGTH = 36;

export const idOf = (message: string): string => message.slice(ID_AT, ID_AT + ID_LENGTH);
export const markOf = (message: string): string => message.slice(ID_AT + ID_LENGTH - 8, ID_AT + ID_LENGTH);

/** An entry whose message was evicted from an inbox: it keeps its position, its id and its mark. */
export const isTombstone = ({ origin }: Entry): boolean => origin === '!';

export function parseEntry(seq: number, raw: string): Entry {
  const note = raw.indexOf(' ') + 1;
  return { seq, origin: raw.slice(0, note - 1), message: raw.slice(raw.indexOf(' ', note) + 1) };
}

export const samePosition = (a: Position, b: Position): boolean =>
  a.seq === b.seq && a.epoch === b.epoch && a.mark === b.mark;

export type LogStore = ReturnType<typeof createLogStore>;

export function createLogStore(
  store: Store,
  options: { retention: Retention; sendLimit: RateLimit; newEpoch: () => string },
) {
  const { keys, run, runBulk } = store;
  const { retention, sendLimit, newEpoch } = options;

  async function read(
    log: { list: string; meta: string },
    {
      after,
      before,
      count,
      maxBytes = READ_BYTES,
      minEntries: least = 1,
      requester: by = log.list,
      signal,
    }: Window,
  ): Promise<LogPart> {
    const where = [log.list, log.meta];
    const window = [after ?? '', before ?? '', count, maxBytes, least];
    // Reading only the end is cheap: it does not queue behind anyone's page.
    const reading =
      count === 0 ? run('log-read', where, window) : runBulk({ name: by, signal }, 'log-read', where, window);
    const [flat, start, raw] = await reading;
    const meta = fieldsOf(flat);
    return {
      first: Number(meta['first'] ?? 1),
      end: { epoch: meta['epoch'] ?? '', seq: Number(meta['last'] ?? 0), mark: meta['mark'] ?? '' },
      entries: raw.map((entry, index) => parseEntry(start + index, entry)),
      meta,
    };
  }

  /** The current ends of several logs. */
  async function ends(metas: string[]): Promise<Position[]> {
    const flat = await run('log-positions', metas);
    return metas.map((_, i) => ({
      epoch: flat[3 * i]!,
      seq: Number(flat[3 * i + 1]),
      mark: flat[3 * i + 2]!,
    }));
  }

  const inboxes = createInboxes(store, retention);
  const logKeys = (log: LogKeys) => [log.list, log.meta, log.keys];
  /** Joined into one argument: each argument costs both sides a little on every message. */
  const directLimits = [
    ...[retention.history, retention.historyBytes, retention.inbox, retention.inboxBytes],
    ...[retention.accountBytes, sendLimit.max, sendLimit.windowMs],
  ].join(' ');

  return {
    ...inboxes,
    read,
    ends,

    async broadcast(draft: Draft): Promise<AppendResult> {
      const [outcome, detail] = await run(
        'broadcast-append',
        [...logKeys(keys.broadcasts), keys.limit('send', draft.limitedAs)],
        [
          ...[
            keys.channels.broadcasts,
            retention.broadcasts,
            retention.broadcastBytes,
            newEpoch(),
            draft.key,
            draft.sid,
            draft.id,
            draft.jsonPrefix,
          ],
          ...[sendLimit.max, sendLimit.windowMs],
        ],
      );
      return outcome === 'limited'
        ? { outcome, waitMs: detail }
        : { outcome, message: stored(outcome, detail) };
    },

    async direct(from: string, to: string, draft: Draft): Promise<AppendResult> {
      const [sender, reader] = [keys.inbox(from), keys.inbox(to)];
      const reply = await inboxes.counted([from, to], () =>
        run(
          'direct-append',
          [
            ...logKeys(keys.conversation(from, to)),
            ...[keys.limit('send', draft.limitedAs), keys.account(to)],
            ...[sender.conversations, ...inboxKeys(sender)],
            ...[reader.conversations, ...inboxKeys(reader)],
          ],
          [
            ...[from, to, sender.channel, reader.channel, directLimits, newEpoch()],
            ...[draft.key, draft.sid, draft.id, draft.jsonPrefix],
          ],
        ),
      );
      if (reply[0] === 'unknown' || reply[0] === 'mailbox_full' || reply[0] === 'quota_exceeded')
        return { outcome: reply[0] };
      if (reply[0] === 'limited') return { outcome: 'limited', waitMs: reply[1] };
      return { outcome: reply[0], message: stored(reply[0], reply[1]) };
    },

    /** Unacknowledged messages after a message id or a seq. Undefined if there is no such message. */
    async mailbox(
      username: string,
      after: string | number,
      count: number,
      signal?: AbortSignal,
    ): Promise<MailboxPart | undefined> {
      const inbox = keys.inbox(username);
      const place = typeof after === 'string' ? [after, 0] : ['', after];
      const where = [inbox.list, inbox.meta, inbox.ids];
      const args = [...place, count, READ_BYTES];
      const asker = { name: username, signal };
      const reply = await inboxes.counted(
        [username],
        () => runBulk(asker, 'inbox-read', where, args),
        signal,
      );
      if (reply[0] === 'unknown') return undefined;
      const [, first, acked, unread, overflowed, lookedTo, hasMore, messages, evictedFrom, evictedTo] = reply;
      const state = { acked, unread, overflowed: overflowed === 1 };
      const evicted = { evictedFrom, evictedTo };
      return { state, first, scannedTo: lookedTo, ...evicted, hasMore: hasMore === 1, messages };
    },
  };
}

function fieldsOf(flat: string[]): Record<string, string> {
  const fields: Record<string, string> = {};
  for (let i = 0; i < flat.length; i += 2) fields[flat[i]!] = flat[i + 1]!;
  return fields;
}

/** A replay returns the stored entry, an append only the message. */
function stored(outcome: 'appended' | 'replayed', text: string): string {
  return outcome === 'replayed' ? parseEntry(0, text).message : text;
}
