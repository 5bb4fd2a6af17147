/** The conversations of an account, newest first, in pages. See lua/lib/conversations.lua for the data structure. */
import { parseEntry, READ_BYTES } from './log/log-store.ts';
import type { Requester, Store } from './redis/client.ts';

/** A conversation, and its position in the list: a time (epoch ms) that is unique within the list. */
export type Listed = { other: string; at: number };
/** Where the next page starts: everything older than `before`, searched from behind `from`. */
export type ListPlace = { before: number; from: string };
export type ListPart = { listed: Listed[]; next: ListPlace | undefined };

/** If the last returned conversation has moved to the front, those already returned are skipped, in bounded steps. */
const STEPS_A_CALL = 500;
const CALLS_A_PAGE = 20;
const SCANNED_AT_ONCE = 1_000;
const ADOPTED_AT_ONCE = 200;

export type ConversationStore = ReturnType<typeof createConversationStore>;

export function createConversationStore({ keys, bulk, runBulk, run }: Store) {
  /** Conversations written by a release that had no list, newest first. */
  async function unlinked(key: string, asker: Requester): Promise<string[]> {
    const found: Listed[] = [];
    let cursor = '0';
    do {
      const [next, flat] = await bulk(asker, (redis) => redis.hscan(key, cursor, 'COUNT', SCANNED_AT_ONCE));
      for (let i = 0; i < flat.length; i += 2)
        if (/^\d+$/.test(flat[i + 1]!)) found.push({ other: flat[i]!, at: Number(flat[i + 1]) });
      cursor = next;
    } while (cursor !== '0');
    found.sort((a, b) => b.at - a.at || (a.other < b.other ? -1 : 1));
    return [...new Set(found.map(({ other }) => other))];
  }

  async function adopt(key: string, asker: Requester): Promise<void> {
    const others = await unlinked(key, asker);
    for (let i = 0; i < others.length; i += ADOPTED_AT_ONCE) {
      asker.signal?.throwIfAborted();
      await run('conversations-link', [key], others.slice(i, i + ADOPTED_AT_ONCE));
    }
  }

  return {
    /** May return fewer than `limit` conversations, even none, and still a `next` place. */
    async page(
      username: string,
      limit: number,
      place: ListPlace | undefined,
      signal?: AbortSignal,
    ): Promise<ListPart> {
      const key = keys.inbox(username).conversations;
      const asker = { name: username, signal };
      const listed: Listed[] = [];
      let hasAdopted = false;
      let [before, from] = [place?.before, place?.from];
      for (let calls = 0; calls < CALLS_A_PAGE; calls += 1) {
        const [left, stop, hasOlder, flat] = await runBulk(
          asker,
          'conversations-page',
          [key],
          [limit - listed.length, STEPS_A_CALL, before ?? '', from ?? ''],
        );
        for (let i = 0; i < flat.length; i += 2)
          listed.push({ other: String(flat[i]), at: Number(flat[i + 1]) });
        before = listed.at(-1)?.at ?? before;
        if (stop !== '-') from = stop;
        if (hasOlder === 0 && left > 0 && !hasAdopted) {
          await adopt(key, asker);
          hasAdopted = true;
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
