/**
 * Reads and acknowledges the unread messages of inboxes. The scripts maintain the counters, in total and per sender;
 * acknowledgements move in bounded steps.
 */
import { createInboxRecount, type InboxLimits, inboxKeys } from './inbox-recount.ts';
import { READ_BYTES } from './log/log-reader.ts';
import type { Store } from './redis/client.ts';

export type InboxState = {
  acked: number;
  unread: number;
  /** True when unread messages were dropped because the inbox was full: entries (acked, first) are gone. */
  overflowed: boolean;
  /** Seq of the newest tombstone; 0 if there is none. */
  evictedAt: number;
  /** False if a release without counters has written the inbox: see `recount`. */
  isCounted: boolean;
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

/** Positions processed per script call; each takes Redis less than a microsecond. */
const POSITIONS_PER_CALL = 500;

/** Parse the meta fields returned by an inbox read. An inbox without entries needs no recount. */
export function inboxState({ meta }: { meta: Record<string, string> }): InboxState {
  const number = (name: string) => Number(meta[name] ?? 0);
  return {
    acked: number('acked'),
    unread: number('unread'),
    overflowed: number('dropped') > number('read'),
    evictedAt: number('evictedAt'),
    isCounted: 'unread' in meta || !('epoch' in meta),
  };
}

export function createInboxes(store: Store, limits: InboxLimits) {
  const { keys, run, runBulk } = store;
  const { recount, whenCounted } = createInboxRecount(store, limits);

  return {
    recount,
    whenCounted,

    /** Unacknowledged messages after a message id or a seq. Undefined if there is no such message. */
    async mailbox(
      username: string,
      after: string | number,
      count: number,
      signal?: AbortSignal,
    ): Promise<MailboxPart | undefined> {
      const { list, meta, ids } = keys.inbox(username);
      const args = [...(typeof after === 'string' ? [after, 0] : ['', after]), count, READ_BYTES];
      const read = () => runBulk({ name: username, signal }, 'inbox-read', [list, meta, ids], args);
      const reply = await whenCounted([username], read, signal);
      if (reply[0] === 'unknown') return undefined;
      const [, first, acked, unread, overflowed, scannedTo, hasMore, messages, evictedFrom, evictedTo] =
        reply;
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
      upTo: string | { epoch: string; seq: number; mark: string },
      signal?: AbortSignal,
    ): Promise<number | undefined> {
      const inbox = keys.inbox(username);
      const target = typeof upTo === 'string' ? [upTo, '', 0, ''] : ['', upTo.epoch, upTo.seq, upTo.mark];
      const args = [inbox.channel, sid, ...target, POSITIONS_PER_CALL, limits.inbox, limits.inboxBytes];
      const step = () => run('inbox-ack', inboxKeys(inbox), args);
      for (;;) {
        const [outcome, unread] = await whenCounted([username], step, signal);
        if (outcome === 'unknown') return undefined;
        if (outcome === 'acked') return unread;
        signal?.throwIfAborted();
      }
    },

    /** The number of unread messages that `username` has from each of the others, in the same order. */
    async unreadOf(username: string, others: string[], signal?: AbortSignal): Promise<number[]> {
      if (others.length === 0) return [];
      const { meta, senders } = keys.inbox(username);
      const read = () => run('inbox-unread-by-sender', [meta, senders], others);
      const [, ...unread] = await whenCounted([username], read, signal);
      return unread;
    },
  };
}
