/** The channels of an account, newest first, in pages. See lua/lib/inbox.lua for the data structure. */

import { parseEntry } from './log/entry.ts';
import { READ_BYTES } from './log/log-reader.ts';
import type { Store } from './redis/client.ts';
import { inboxKeys } from './redis/keys.ts';

/** A channel, its place in the list (a time in epoch ms that is unique within the list), and its unread messages. */
export type ListedChannel = { channel: string; at: number; unread: number };
/** Where the next page starts: everything older than `before`; the search starts after `from`. */
export type ListPlace = { before: number; from: string };
export type ListPart = { listed: ListedChannel[]; next: ListPlace | undefined };

/** If the last returned channel has moved to the front, those already returned are skipped, in bounded steps. */
const STEPS_PER_CALL = 500;
const CALLS_PER_PAGE = 20;

export type ConversationStore = ReturnType<typeof createConversationStore>;

export function createConversationStore(store: Store, newEpoch: () => string) {
  const { keys, runBulk } = store;
  return {
    /** May return fewer than `limit` channels, even none, and still a `next` place. */
    async page(
      username: string,
      limit: number,
      place: ListPlace | undefined,
      signal?: AbortSignal,
    ): Promise<ListPart> {
      const inbox = inboxKeys(keys.inbox(username));
      const listed: ListedChannel[] = [];
      let [before, from] = [place?.before, place?.from];
      for (let call = 0; call < CALLS_PER_PAGE; call += 1) {
        const args = [limit - listed.length, STEPS_PER_CALL, before ?? '', from ?? '-', newEpoch()];
        const [stop, hasOlder, flat] = await runBulk(
          { name: username, signal },
          'channels-page',
          inbox,
          args,
        );
        for (let i = 0; i < flat.length; i += 3)
          listed.push({ channel: String(flat[i]), at: Number(flat[i + 1]), unread: Number(flat[i + 2]) });
        before = listed.at(-1)?.at ?? before;
        if (stop !== '-') from = stop;
        if (hasOlder === 0) return { listed, next: undefined };
        if (listed.length === limit) break;
      }
      return { listed, next: before !== undefined && from ? { before, from } : undefined };
    },

    /** The newest message of each channel as JSON, or '' if none is stored. As many as fit, at least one. */
    async newest(username: string, channels: string[], signal?: AbortSignal): Promise<string[]> {
      if (channels.length === 0) return [];
      const lists = channels.map((channel) => keys.direct(channel).list);
      const entries = await runBulk({ name: username, signal }, 'log-newest', lists, [READ_BYTES]);
      return entries.map((entry, i) => (entry === '' ? '' : parseEntry(0, entry, channels[i]!).message));
    },
  };
}
