/** Tells screen readers what has just come: new messages only, not the history that somebody scrolls through. */
import type { Message } from '@parley-chat/client';
import { byId, el } from './dom.ts';
import { say } from './i18n.ts';
import { nameInText } from './names.ts';
import type { Store } from './state.ts';

/** The rest is on the page. */
const SPOKEN_CHARACTERS = 200;
/** What came before them was spoken or never will be. */
const KEPT = 10;

export function createAnnouncer({ state }: Store): (message: Message) => void {
  const region = byId('announcer', HTMLElement);
  return ({ from, text }) => {
    const name = nameInText(state, from);
    const spoken = say(state.language, 'saidTo', { name, text: text.slice(0, SPOKEN_CHARACTERS) });
    region.append(el('p', {}, spoken));
    if (region.childElementCount > KEPT) region.firstElementChild?.remove();
  };
}
