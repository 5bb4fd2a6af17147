/** The conversations of an account, newest first, in pages. See lua/lib/conversations.lua for the data structure. */
import { parseEntry } from './log/entry.ts';
import { READ_BYTES } from './log/log-reader.ts';
import type { Requester, Store } from './redis/client.ts';

/** A conversation, and its position in the list: a time (epoch ms) that is unique within the list. */
export type ListedConversation = { other: string; at: number };
/** Where the next page starts: everything older than `before`; the search starts after `from`. */
export type ListPlace = { before: number; from: string };
export type ListPart = { listed: ListedConversation[]; next: ListPlace | undefined };

/** If the last returned conversation has moved to the front, those already returned are skipped, in bounded steps. */
const STEPS_PER_CALL = 500;
const CALLS_PER_PAGE = 20;
const SCAN_COUNT = 1_000;
const LINKS_PER_CALL = 200;

export type ConversationStore = ReturnType<typeof createConversationStore>;

export function createConversationStore(store: Store) {
  const { keys, runBulk } = store;
  return {
    /** May return fewer than `limit` conversations, even none, and still a `next` place. */
    async page(
      username: string,
      limit: number,
      place: ListPlace | undefined,
      signal?: AbortSignal,
    ): Promise<ListPart> {
      const key = keys.inbox(username).conversations;
      const requester = { name: username, signal };
      const listed: ListedConversation[] = [];
      let isLinked = false;
      let [before, from] = [place?.before, place?.from];
      for (let call = 0; call < CALLS_PER_PAGE; call += 1) {
        const [unlisted, stop, hasOlder, flat] = await runBulk(
          requester,
          'conversations-page',
          [key],
          [limit - listed.length, STEPS_PER_CALL, before ?? '', from ?? ''],
        );
        for (let i = 0; i < flat.length; i += 2)
          listed.push({ other: String(flat[i]), at: Number(flat[i + 1]) });
        before = listed.at(-1)?.at ?? before;
        if (stop !== '-') from = stop;
        if (hasOlder === 0 && unlisted > 0 && !isLinked) {
          await linkUnlisted(store, key, requester);
          isLinked = true;
        } else if (hasOlder === 0) return { listed, next: undefined };
        else if (listed.length === limit) break;
      }
      return { listed, next: before !== undefined && from ? { before, from } : undefined };
    },

    /** The newest message of each conversation as JSON, or '' if none is stored. As many as fit, at least one. */
    async newest(username: string, others: string[], signal?: AbortSignal): Promise<string[]> {
      if (others.length === 0) return [];
      const lists = others.map((other) => keys.conversation(username, other).list);
      const entries = await runBulk({ name: username, signal }, 'log-newest', lists, [READ_BYTES]);
      return entries.map((entry) => (entry === '' ? '' : parseEntry(0, entry).message));
    },
  };
}

/** Add the conversations written by a release that had no list to the end of the list. */
async function linkUnlisted({ run, bulk }: Store, key: string, requester: Requester): Promise<void> {
  const unlisted: ListedConversation[] = [];
  let cursor = '0';
  do {
    const [next, flat] = await bulk(requester, (redis) => redis.hscan(key, cursor, 'COUNT', SCAN_COUNT));
    for (let i = 0; i < flat.length; i += 2)
      if (/^\d+$/.test(flat[i + 1]!)) unlisted.push({ other: flat[i]!, at: Number(flat[i + 1]) });
    cursor = next;
  } while (cursor !== '0');
  unlisted.sort((a, b) => b.at - a.at || (a.other < b.other ? -1 : 1));
  const others = [...new Set(unlisted.map(({ other }) => other))];
  for (let i = 0; i < others.length; i += LINKS_PER_CALL) {
    requester.signal?.throwIfAborted();
    await run('conversations-link', [key], others.slice(i, i + LINKS_PER_CALL));
  }
}
