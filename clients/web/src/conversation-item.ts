/** An entry in the list of conversations: who it is with, the last message, and the number of unread messages. */
import { avatar } from './avatar.ts';
import { type Conversation, EVERYBODY, lastOf } from './conversation.ts';
import { el, setText } from './dom.ts';
import { say } from './i18n.ts';
import { bothNames, displayNameOf, nameInText, usernameBeside } from './names.ts';
import { routeTo } from './route.ts';
import { isStale, type State } from './state.ts';
import { moment } from './time.ts';

/** CSS cuts the preview to one line, so a message of 4,000 characters need not be in the page twice. */
const PREVIEW_CHARACTERS = 120;

export function makeItem(name: string): HTMLElement {
  const link = el(
    'a',
    { class: 'talk', href: routeTo(name) },
    avatar(name),
    bothNames(),
    el('time', {}),
    el('span', { class: 'preview', dir: 'auto' }),
    el('span', { class: 'badge', 'aria-hidden': 'true' }),
    el('span', { class: 'unseen count' }),
  );
  return el('li', {}, link);
}

export function updateItem(element: HTMLElement, conversation: Conversation, state: State): void {
  const { language } = state;
  const { name, unread } = conversation;
  const part = (selector: string): Element => element.querySelector(selector)!; // as made above
  const isEverybody = name === EVERYBODY;
  const last = lastOf(conversation);
  setText(part('.name'), isEverybody ? say(language, 'everybody') : displayNameOf(state, name));
  setText(part('.username'), isEverybody ? '' : usernameBeside(state, name));
  setText(part('time'), last ? moment(language, last.sentAt) : '');
  setText(part('.preview'), previewOf(conversation, state));
  setText(part('.badge'), unread > 99 ? '99+' : String(unread || ''));
  setText(part('.count'), unread > 0 ? `, ${say(language, 'unread', { n: unread })}` : '');
  if (state.open === name) part('.talk').setAttribute('aria-current', 'page');
  else part('.talk').removeAttribute('aria-current');
  element.classList.toggle('is-online', state.online.has(name) && !isStale(state));
}

function previewOf(conversation: Conversation, state: State): string {
  const newest = conversation.outgoing.at(-1) ?? lastOf(conversation);
  const text = newest?.text.slice(0, PREVIEW_CHARACTERS) ?? '';
  const sender = senderOf(conversation, state);
  return sender && text ? say(state.language, 'saidTo', { name: sender, text }) : text;
}

/** Who sent the last message. In a direct conversation, only the user's own messages are marked. */
function senderOf(conversation: Conversation, state: State): string | undefined {
  const last = lastOf(conversation);
  if (conversation.outgoing.length > 0 || last?.from === state.me) return say(state.language, 'me');
  return conversation.name === EVERYBODY && last ? nameInText(state, last.from) : undefined;
}
