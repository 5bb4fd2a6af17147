/**
 * Inbox counters: unread messages in total and per sender. The scripts maintain the counters; this file reads them,
 * moves acknowledgements in bounded steps, and recounts inboxes written by a release without counters.
 */
import { setImmediate } from 'node:timers/promises';
import { type Store, StoreUnavailable } from './redis/client.ts';
import type { InboxKeys } from './redis/keys.ts';

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

/** Positions processed per script call; each takes Redis less than a microsecond. */
const ACK_AT_ONCE = 500;
/** Entries read in full per script call; each may be up to 16 KB. */
const COUNT_AT_ONCE = 100;
/** An inbox that is uncounted after every recount is being written by a node of an older release. */
const ATTEMPTS = 5;

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

/** The keys of an inbox in the order the scripts expect. */
export const inboxKeys = (inbox: InboxKeys): string[] => [
  ...[inbox.list, inbox.meta, inbox.ids],
  ...[inbox.senders, inbox.mail, inbox.friends, inbox.heavy],
];

export type InboxLimits = { inbox: number; inboxBytes: number };

export function createInboxes(store: Store, { inbox: limit, inboxBytes }: InboxLimits) {
  const { keys, run } = store;

  async function recount(username: string, signal?: AbortSignal): Promise<void> {
    const where = inboxKeys(keys.inbox(username));
    while ((await run('inbox-recount', where, [COUNT_AT_ONCE, limit, inboxBytes])) === 'more') {
      signal?.throwIfAborted();
      await setImmediate(); // let other requests run
    }
  }

  /** Run `work`, which needs the inboxes of `usernames` to be counted; recount and retry if they are not. */
  async function counted<Reply extends readonly unknown[]>(
    usernames: string[],
    work: () => Promise<Reply>,
    signal?: AbortSignal,
  ): Promise<Exclude<Reply, readonly ['uncounted']>> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const reply = await work();
      if (reply[0] !== 'uncounted') return reply as Exclude<Reply, readonly ['uncounted']>; // as just compared
      for (const username of new Set(usernames)) await recount(username, signal);
    }
    throw new StoreUnavailable('an inbox could not be counted');
  }

  return {
    recount,
    counted,

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
      const args = [inbox.channel, sid, ...target, ACK_AT_ONCE, limit, inboxBytes];
      for (;;) {
        const [outcome, unread] = await counted(
          [username],
          () => run('inbox-ack', inboxKeys(inbox), args),
          signal,
        );
        if (outcome === 'unknown') return undefined;
        if (outcome === 'acked') return unread;
        signal?.throwIfAborted();
      }
    },

    /** The number of unread messages that `username` has from each of the others, in the same order. */
    async unreadOf(username: string, others: string[], signal?: AbortSignal): Promise<number[]> {
      if (others.length === 0) return [];
      const { meta, senders } = keys.inbox(username);
      const [, ...unread] = await counted(
        [username],
        () => run('inbox-unread', [meta, senders], others),
        signal,
      );
      return unread;
    },
  };
}
