/**
 * What is counted about an inbox: unread mail in all and by sender. The scripts keep the counters; this file reads them,
 * moves acknowledgements in bounded steps, and has an inbox counted that a release without counters has written to.
 */
import { setImmediate } from 'node:timers/promises';
import { type Store, StoreUnavailable } from './redis/client.ts';
import type { InboxKeys } from './redis/keys.ts';

export type InboxState = {
  acked: number;
  unread: number;
  /** True when unread messages were dropped because the inbox was full: entries (acked, first) are gone. */
  overflowed: boolean;
  /** Where the newest tombstone stands; 0 if there never was one. */
  evictedAt: number;
  /** False: a release without counters has written it, see `recount`. */
  isCounted: boolean;
};

/** Positions that one call of a script passes; each costs Redis less than a microsecond. */
const ACK_AT_ONCE = 500;
/** Entries that one call of a script reads whole; they may be 16 KB each. */
const COUNT_AT_ONCE = 100;
/** An inbox that is always found uncounted is written to by a node of an older release. */
const ATTEMPTS = 5;

/** Of the meta that a read of an inbox answers. One without entries holds nothing to count. */
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

/** As the scripts take them. */
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
      await setImmediate(); // others want to be served too
    }
  }

  /** Run what needs the inboxes of `usernames` counted. */
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

    /** Acknowledge up to a message id or a position; answers what is left unread, or undefined for neither. */
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

    /** How much unread mail `username` has of each of the others, in their order. */
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
