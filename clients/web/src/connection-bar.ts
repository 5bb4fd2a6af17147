/** How the connection is, always in sight: what is wrong, when it is tried again, and a way to try at once. */
import { byId, setText } from './dom.ts';
import { say, type Word } from './i18n.ts';
import type { State, Store } from './state.ts';

type Look = { word: Word; tone: 'good' | 'busy' | 'bad'; button?: Word };

function lookOf({ connection, hasGap }: State): Look {
  switch (connection.kind) {
    case 'open':
      if (hasGap) return { word: 'missed', tone: 'busy', button: 'understood' };
      return { word: 'connected', tone: 'good' };
    case 'idle':
    case 'connecting':
      return { word: 'connecting', tone: 'busy' };
    case 'waiting':
      return { word: 'waiting', tone: 'bad', button: 'now' };
    case 'ended':
      return {
        word: connection.reason === 'replaced' ? 'replaced' : 'refused',
        tone: 'bad',
        button: 'listen',
      };
  }
}

export function showConnection({ state, watch }: Store, act: () => void): void {
  const bar = byId('connection', HTMLElement);
  const words = byId('connection-words', HTMLElement);
  const countdown = byId('connection-countdown', HTMLElement);
  const button = byId('connection-button', HTMLButtonElement);
  let timer: ReturnType<typeof setInterval> | undefined;

  function count(): void {
    const seconds = Math.max(0, Math.ceil((state.retryAtMs - Date.now()) / 1_000));
    setText(
      countdown,
      state.connection.kind === 'waiting' ? say(state.language, 'nextTry', { n: seconds }) : '',
    );
  }

  button.addEventListener('click', act);
  watch(() => {
    const look = lookOf(state);
    bar.dataset['tone'] = look.tone;
    setText(words, say(state.language, look.word));
    button.hidden = !look.button;
    setText(button, look.button ? say(state.language, look.button) : '');
    count();
    clearInterval(timer);
    if (state.connection.kind === 'waiting') timer = setInterval(count, 1_000);
  });
}
