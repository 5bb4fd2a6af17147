/** What stands above the messages: whether there are older ones, and a button to load them again if that failed. */
import { type Conversation, EVERYBODY } from './conversation.ts';
import { byId, setText } from './dom.ts';
import { say, type Word } from './i18n.ts';
import { nameInText } from './names.ts';
import type { State } from './state.ts';

export type HistoryStatus = { show(conversation: Conversation): void };

export function createHistoryStatus(state: State, onRetry: () => void): HistoryStatus {
  const above = byId('above', HTMLElement);
  const retry = byId('load-again', HTMLButtonElement);
  retry.addEventListener('click', onRetry);
  return {
    show(conversation) {
      const word = statusOf(conversation);
      const name = nameInText(state, conversation.name);
      setText(above, word ? say(state.language, word, { name }) : '');
      above.classList.toggle('empty', isEmpty(conversation));
      retry.hidden = conversation.history !== 'failed';
    },
  };
}

const isEmpty = ({ messages, outgoing }: Conversation): boolean => messages.length + outgoing.length === 0;

function statusOf(conversation: Conversation): Word | undefined {
  if (conversation.history === 'failed') return 'loadFailed';
  if (conversation.history !== 'loaded') return 'loading';
  if (conversation.hasMore) return undefined;
  if (!isEmpty(conversation)) return 'beginning';
  return conversation.name === EVERYBODY ? 'emptyEverybody' : 'emptyDirect';
}
