/** Where messages are written. Enter sends, Shift+Enter begins a line; the draft stays with its talk. */
import { EVERYBODY } from './conversation.ts';
import { byId, setText } from './dom.ts';
import { say } from './i18n.ts';
import { nameInText } from './names.ts';
import { cleaned, LONGEST_TEXT, lengthOf } from './sending.ts';
import type { Store } from './state.ts';

/** Below it nobody needs to know how much is left. */
const TOLD_FROM = 3_500;

export function showComposer({ state, watch, talk, changed }: Store, send: (text: string) => void): void {
  const form = byId('composer', HTMLFormElement);
  const field = byId('text', HTMLTextAreaElement);
  const button = byId('send', HTMLButtonElement);
  const counter = byId('counter', HTMLElement);
  let shown: string | undefined;

  function measure(): void {
    const left = LONGEST_TEXT - lengthOf(cleaned(field.value));
    const isEmpty = !cleaned(field.value).trim();
    button.disabled = isEmpty || left < 0;
    field.setAttribute('aria-invalid', String(left < 0));
    const isTold = left < LONGEST_TEXT - TOLD_FROM;
    const word = left < 0 ? 'tooLong' : 'charactersLeft';
    setText(counter, isTold ? say(state.language, word, { n: Math.abs(left) }) : '');
    // As high as its text; the sheet says how high at most. (The page's policy forbids style attributes, not this.)
    field.style.height = 'auto';
    field.style.height = `${field.scrollHeight + 2}px`;
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    measure();
    if (button.disabled) return;
    const text = cleaned(field.value);
    field.value = '';
    if (state.open !== undefined) talk(state.open).draft = '';
    send(text);
    measure();
    field.focus();
  });
  field.addEventListener('input', () => {
    if (state.open !== undefined) talk(state.open).draft = field.value;
    measure();
    changed();
  });
  field.addEventListener('keydown', (event) => {
    // While a Chinese word is being composed, Enter takes the word.
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  watch(() => {
    const name =
      state.open === EVERYBODY ? say(state.language, 'everybody') : nameInText(state, state.open ?? '');
    const label = say(state.language, 'compose', { name });
    field.setAttribute('aria-label', label);
    field.placeholder = label;
    const here = `${state.me} ${state.open}`;
    if (shown === here) return;
    shown = here;
    field.value = state.open === undefined ? '' : talk(state.open).draft;
    measure();
  });
}
