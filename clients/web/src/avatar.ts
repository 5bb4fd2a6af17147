/** A round with somebody's first letter, in a colour that is always theirs. Decoration: the name stands beside it. */
import { EVERYBODY } from './conversation.ts';
import { el } from './dom.ts';

/** As many as style.css has. */
const TONES = 8;

export function avatar(name: string): HTMLElement {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)!) % 65_521;
  const tone = name === EVERYBODY ? 'all' : String(sum % TONES);
  const [first = ''] = name === EVERYBODY ? '#' : name;
  return el('span', { class: `avatar tone-${tone}`, 'aria-hidden': 'true' }, first.toUpperCase());
}
