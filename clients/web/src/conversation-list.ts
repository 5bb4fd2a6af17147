/** The talks at the side: everybody first, then the one who spoke last. With what was said, and how much is unread. */
import { avatar } from './avatar.ts';
import { type Conversation, EVERYBODY, lastOf } from './conversation.ts';
import { byId, el, reconcile, setText } from './dom.ts';
import { say } from './i18n.ts';
import { bothNames, displayNameOf, nameInText, usernameBeside } from './names.ts';
import { routeTo } from './route.ts';
import { isStale, type Store } from './state.ts';
import { moment } from './time.ts';

type Item = { key: string; talk: Conversation };

export function showConversations({ state, watch }: Store): void {
  const list = byId('talks', HTMLUListElement);

  function make({ key: name }: Item): HTMLElement {
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

  function update(element: HTMLElement, { talk }: Item): void {
    const [link, name, username, time, preview, badge, count] = [
      '.talk',
      '.name',
      '.username',
      'time',
      '.preview',
      '.badge',
      '.count',
    ].map((selector) => element.querySelector(selector)!) as [
      Element,
      Element,
      Element,
      Element,
      Element,
      Element,
      Element,
    ]; // as made above
    const last = lastOf(talk);
    const said = talk.outgoing.at(-1)?.text ?? last?.text ?? '';
    const isMine = talk.outgoing.length > 0 || last?.from === state.me;
    const isEverybody = talk.name === EVERYBODY;
    const speaker = isEverybody && last ? nameInText(state, last.from) : undefined;
    const who = isMine ? say(state.language, 'me') : speaker;
    setText(name, isEverybody ? say(state.language, 'everybody') : displayNameOf(state, talk.name));
    setText(username, isEverybody ? '' : usernameBeside(state, talk.name));
    setText(time, last ? moment(state.language, last.sentAt) : '');
    // Longer ones are cut by the sheet; nobody needs 4,000 characters here.
    setText(
      preview,
      who && said
        ? say(state.language, 'saidTo', { name: who, text: said.slice(0, 120) })
        : said.slice(0, 120),
    );
    setText(badge, talk.unread > 99 ? '99+' : String(talk.unread || ''));
    setText(count, talk.unread > 0 ? `, ${say(state.language, 'unread', { n: talk.unread })}` : '');
    if (state.open === talk.name) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
    element.classList.toggle('is-online', state.online.has(talk.name) && !isStale(state));
  }

  /** Everybody, whoever something was said with, and the one that is open. */
  function shown(): Item[] {
    const rest = [...state.talks.values()].filter(
      (talk) =>
        talk.name !== EVERYBODY &&
        (lastOf(talk) || talk.outgoing.length > 0 || talk.draft || state.open === talk.name),
    );
    const newest = (talk: Conversation) => talk.outgoing.at(-1)?.sentAt ?? lastOf(talk)?.sentAt ?? '9';
    rest.sort((one, other) => newest(other).localeCompare(newest(one)));
    const everybody = state.talks.get(EVERYBODY);
    return [...(everybody ? [everybody] : []), ...rest].map((talk) => ({ key: talk.name, talk }));
  }

  watch(() => {
    reconcile(list, state.me === undefined ? [] : shown(), make, update);
  });
}
