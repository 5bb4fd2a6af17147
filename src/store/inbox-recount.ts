/** Recounts inboxes that were written by a release without counters. */
import { setImmediate } from 'node:timers/promises';
import { type Store, StoreUnavailable } from './redis/client.ts';
import type { InboxKeys } from './redis/keys.ts';

export type InboxLimits = { inbox: number; inboxBytes: number };

/** Entries read in full per script call; each may be up to 16 KB. */
const ENTRIES_PER_CALL = 100;
/** An inbox that is uncounted after every recount is being written by a node of an older release. */
const ATTEMPTS = 5;

/** The keys of an inbox in the order the scripts expect. */
export const inboxKeys = (inbox: InboxKeys): string[] => [
  ...[inbox.list, inbox.meta, inbox.ids],
  ...[inbox.senders, inbox.mail, inbox.friends, inbox.heavy],
];

export function createInboxRecount({ keys, run }: Store, { inbox: limit, inboxBytes }: InboxLimits) {
  async function recount(username: string, signal?: AbortSignal): Promise<void> {
    const inbox = inboxKeys(keys.inbox(username));
    while ((await run('inbox-recount', inbox, [ENTRIES_PER_CALL, limit, inboxBytes])) === 'more') {
      signal?.throwIfAborted();
      await setImmediate(); // let other requests run
    }
  }

  return {
    recount,

    /** Run `work`, which needs the inboxes of `usernames` to be counted; recount and retry if they are not. */
    async whenCounted<Reply extends readonly unknown[]>(
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
    },
  };
}
