/** Loads the conversations again when the stream has left something out: what the page has may have holes. */
import type { Parley } from '@parley-chat/client';
import { EVERYBODY, insert, lastOf } from './conversation.ts';
import type { History } from './history.ts';
import type { Store } from './state.ts';

/** How many conversations the page asks for. Older ones are there when somebody opens them. */
const CONVERSATIONS = 100;

type Deps = { parley: Parley; store: Store; history: History };

/** Loads the broadcasts and the open conversation now; the others load their messages when they are opened. */
export async function reloadConversations({ parley, store, history }: Deps): Promise<void> {
  const { state } = store;
  for (const conversation of state.talks.values()) history.distrust(conversation);
  const open = state.open === undefined ? undefined : store.talk(state.open);
  const everybody = store.talk(EVERYBODY);
  await Promise.all([
    history.newest(everybody),
    open && open !== everybody && history.newest(open),
    loadList(parley, store),
  ]);
}

/** Gets the last message of each conversation, which sorts the list. The stream reports what is unread. */
async function loadList(parley: Parley, store: Store): Promise<void> {
  let cursor: string | null | undefined;
  for (let count = 0; count < CONVERSATIONS && cursor !== null; ) {
    const { data } = await parley.listConversations({
      limit: CONVERSATIONS - count,
      ...(cursor && { cursor }),
    });
    for (const { with: name, last } of data?.conversations ?? []) {
      const conversation = store.talk(name);
      const isNewer = (lastOf(conversation)?.seq ?? 0) < last.seq;
      if (conversation.history === 'unknown' && isNewer) insert(conversation, [last]);
    }
    store.changed();
    count += data?.conversations.length || 1; // a page may be short or empty without being the last
    cursor = data?.nextCursor ?? null;
  }
}
