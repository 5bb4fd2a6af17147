/** The conversations in the sidebar. */
import { type Conversation, EVERYBODY, lastOf } from './conversation.ts';
import { makeItem, updateItem } from './conversation-item.ts';
import { byId, reconcile } from './dom.ts';
import type { State, Store } from './state.ts';

export function showConversations({ state, watch }: Store): void {
  const list = byId('talks', HTMLUListElement);
  watch(() => {
    const conversations = state.me === undefined ? [] : listed(state);
    reconcile(
      list,
      conversations.map((conversation) => ({ key: conversation.name, conversation })),
      ({ key }) => makeItem(key),
      (element, { conversation }) => updateItem(element, conversation, state),
    );
  });
}

/** The broadcasts come first, then the direct conversations, those with the newest messages on top. */
function listed({ talks, open }: State): Conversation[] {
  const everybody = talks.get(EVERYBODY);
  const direct = [...talks.values()]
    .filter((each) => each.name !== EVERYBODY)
    .filter((each) => lastOf(each) || each.outgoing.length > 0 || each.draft || each.name === open)
    .sort((one, other) => lastSentAt(other).localeCompare(lastSentAt(one)));
  return [...(everybody ? [everybody] : []), ...direct];
}

/** A conversation without messages (it is open, or has a draft) sorts as the newest: 9 is above the digits of all dates. */
const lastSentAt = (conversation: Conversation): string =>
  conversation.outgoing.at(-1)?.sentAt ?? lastOf(conversation)?.sentAt ?? '9';
