/** Whom an account has talked with, newest first, a page at a time. See lua/lib/conversations.lua for how it is kept. */
import { parseEntry, READ_BYTES } from './log/log-store.ts';
import type { Asker, Store } from './redis/client.ts';

/** A conversation of a list, and the moment (epoch ms, unique within the list) that is its place. */
export type Listed = { other: string; at: number };
/** Everything older than `before`, looked for behind `from`: the last one given, or one where looking has stopped. */
export type ListPlace = { before: number; from: string };
export type ListPart = { listed: Listed[]; next: ListPlace | undefined };

/** The last one given may have moved to the front since: then what was given is walked past, in bounded steps. */
const STEPS_A_CALL = 500;
const CALLS_A_PAGE = 20;
const SCANNED_AT_ONCE = 1_000;
const ADOPTED_AT_ONCE = 200;

export type ConversationStore = ReturnType<typeof createConversationStore>;

export function createConversationStore({ keys, bulk, runBulk, run }: Store) {
  /** Those that a release without the list has written, newest first. */
  async function unlinked(key: string, asker: Asker): Promise<string[]> {
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

  async function adopt(key: string, asker: Asker): Promise<void> {
    const others = await unlinked(key, asker);
    for (let i = 0; i < others.length; i += ADOPTED_AT_ONCE) {
      asker.signal?.throwIfAborted();
      await run('conversations-link', [key], others.slice(i, i + ADOPTED_AT_ONCE));
    }
  }

  return {
    /** May hold fewer than `limit`, even none, and yet say where to go on. */
    async page(
      username: string,
      limit: number,
      place: ListPlace | undefined,
      signal?: AbortSignal,
    ): Promise<ListPart> {
      const key = keys.inbox(username).conversations;
      const asker = { by: username, signal };
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

    /** The newest message of conversations of `username`, as JSON; '' where none is kept. As many as fit, at least one. */
    async newest(username: string, others: string[], signal?: AbortSignal): Promise<string[]> {
      if (others.length === 0) return [];
      const lists = others.map((other) => keys.conversation(username, other).list);
      const entries = await runBulk({ by: username, signal }, 'log-newest', lists, [READ_BYTES]);
      return entries.map((entry) => (entry === '' ? '' : parseEntry(0, entry).message));
    },
  };
}
