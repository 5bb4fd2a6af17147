/** Whose talk is open: the name, and whether they are there to read it. */
import { EVERYBODY } from './conversation.ts';
import { byId, setText } from './dom.ts';
import { say } from './i18n.ts';
import { displayNameOf, nameInText, usernameBeside } from './names.ts';
import { isStale, type Store } from './state.ts';
import { moment } from './time.ts';

export function showHeader({ state, watch }: Store): void {
  const name = byId('talk-name', HTMLElement);
  const beside = byId('talk-username', HTMLElement);
  const about = byId('talk-about', HTMLElement);

  function aboutOpen(): string {
    const { language, open, online, talks } = state;
    if (open === undefined) return '';
    if (open === EVERYBODY) return say(language, 'aboutEverybody');
    if (isStale(state)) return say(language, 'staleOne');
    if (online.has(open)) return say(language, 'isOnline');
    const lastSeenAt = talks.get(open)?.user?.lastSeenAt;
    if (!lastSeenAt) return say(language, 'isOffline');
    return say(language, 'lastSeen', { time: moment(language, lastSeenAt) });
  }

  watch(() => {
    const { language, open, me, talks } = state;
    const username = open === undefined || open === EVERYBODY ? '' : usernameBeside(state, open);
    setText(name, open === EVERYBODY ? say(language, 'everybody') : displayNameOf(state, open ?? ''));
    setText(beside, username && `${username} · `);
    setText(about, aboutOpen());
    let unread = 0;
    for (const talk of talks.values()) unread += talk.unread;
    const whose = open === undefined ? me : open === EVERYBODY ? name.textContent : nameInText(state, open);
    const title = me === undefined ? 'Parley' : `${whose} · Parley`;
    document.title = unread > 0 ? `(${unread}) ${title}` : title;
  });
}
