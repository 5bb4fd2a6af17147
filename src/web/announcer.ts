/** Tells screen readers what has just come: new messages only, not the history that somebody scrolls through. */
import type { Message } from '../client/index.ts';
import { part } from './dom.ts';
import type { Store } from './state.ts';
import { say } from './words.ts';

/** The rest is on the page. */
const SPOKEN_CHARACTERS = 200;

export function createAnnouncer({ state }: Store): (message: Message) => void {
  const region = part('announcer', HTMLElement);
  return ({ from, text }) => {
    region.textContent = say(state.language, 'saidTo', {
      name: from,
      text: text.slice(0, SPOKEN_CHARACTERS),
    });
  };
}
