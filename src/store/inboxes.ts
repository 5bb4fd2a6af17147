/**
 * Reads and acknowledges the unread messages of inboxes. The scripts maintain the counters, in total and per channel;
 * acknowledgements move in bounded steps.
 */
import { encodeId, type Position, parseInboxEntry, START } from './log/entry.ts';
import { type LogPart, READ_BYTES } from './log/log-reader.ts';
import type { Store } from './redis/client.ts';
import { inboxKeys } from './redis/keys.ts';

/** Retention of an inbox. */
export type InboxLimits = { inbox: number; inboxBytes: number };

export type InboxState = {
  acked: number;
  unread: number;
  /** True when unread messages were dropped because the inbox was full: entries (acked, first) are gone. */
  overflowed: boolean;
  /** Seq of the newest tombstone; 0 if there is none. */
  evictedAt: number;
};

/** Messages from others, as JSON. If `hasMore`, continue after `scannedTo`. */
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

/** Bytes of entries examined per script call. Tombstones, the shortest entries, take the longest: about a millisecond. */
const ACK_BYTES = 16 * 1024;

/** The state of an inbox as returned by a read of its log. */
export function inboxState({ state = [] }: LogPart): InboxState {
  const [acked = 0, unread = 0, read = 0, dropped = 0, evictedAt = 0] = state;
  return { acked, unread, overflowed: dropped > read, evictedAt };
}

export function createInboxes(store: Store, limits: InboxLimits, newEpoch: () => string) {
  const { keys, run, runBulk } = store;

  return {
    /** Unacknowledged messages after a message id or a seq. Undefined if there is no such message. */
    async mailbox(
      username: string,
      after: string | number,
      count: number,
      signal?: AbortSignal,
    ): Promise<MailboxPart | undefined> {
      const id = typeof after === 'string' ? encodeId(after) : '';
      if (id === undefined) return undefined;
      const from = [id, typeof after === 'string' ? 0 : after];
      const reply = await runBulk({ name: username, signal }, 'inbox-read', inboxKeys(keys.inbox(username)), [
        ...[...from, count, READ_BYTES, username, newEpoch()],
      ]);
      if (reply[0] === 'unknown') return undefined;
      const [, first, acked, unread, overflowed, scannedTo, hasMore, raw, evictedFrom, evictedTo] = reply;
      const messages = raw.map((entry) => parseInboxEntry(0, entry).message).filter(Boolean);
      const state = { acked, unread, overflowed: overflowed === 1 };
      return { state, first, scannedTo, evictedFrom, evictedTo, hasMore: hasMore === 1, messages };
    },

    /**
     * Acknowledge up to a message id or a position. Returns the remaining unread count, or undefined if there is no
     * such message or position.
     */
    async ack(
      username: string,
      sid: string,
      upTo: string | Position,
      signal?: AbortSignal,
    ): Promise<number | undefined> {
      const inbox = keys.inbox(username);
      const id = typeof upTo === 'string' ? encodeId(upTo) : '';
      if (id === undefined) return undefined;
      const position = typeof upTo === 'string' ? START : upTo;
      const target = [id, position.epoch, position.seq, position.mark];
      const args = [
        inbox.pubsub,
        sid,
        ...target,
        ACK_BYTES,
        username,
        limits.inbox,
        limits.inboxBytes,
        newEpoch(),
      ];
      for (;;) {
        const [outcome, unread] = await run('inbox-ack', inboxKeys(inbox), args);
        if (outcome === 'unknown') return undefined;
        if (outcome === 'acked') return unread;
        signal?.throwIfAborted();
      }
    },
  };
}
