/**
 * The messages of the open talk. It stays at the end while somebody is there, and does not move under a reader who has
 * scrolled up: what comes above or below leaves what is read where it is.
 */
import { type Conversation, EVERYBODY, type Outgoing } from './conversation.ts';
import { byId, reconcile, setText } from './dom.ts';
import { say, type Word } from './i18n.ts';
import { linesOf, makeLine, updateLine } from './message-line.ts';
import { nameInText } from './names.ts';
import type { Store } from './state.ts';

type Acts = {
  older(talk: Conversation): void;
  again(talk: Conversation, outgoing: Outgoing): void;
  discard(talk: Conversation, outgoing: Outgoing): void;
};

/** So near to the end counts as there. */
const NEAR_PX = 48;
/** So near to the top the older ones are fetched: before somebody arrives there. */
const AHEAD_PX = 600;

export function showMessages({ state, watch, talk: talkOf, changed }: Store, acts: Acts): void {
  const scroller = byId('scroller', HTMLElement);
  const list = byId('messages', HTMLOListElement);
  const above = byId('above', HTMLElement);
  const retry = byId('load-again', HTMLButtonElement);
  const newer = byId('newer', HTMLButtonElement);
  let shown: string | undefined;
  let firstKey: string | undefined;

  const openTalk = (): Conversation | undefined =>
    state.open === undefined ? undefined : talkOf(state.open);
  const toEnd = (): void => {
    scroller.scrollTop = scroller.scrollHeight;
  };

  function show(): void {
    const { me, language } = state;
    const talk = openTalk();
    if (me === undefined || !talk) {
      shown = undefined;
      list.replaceChildren();
      return;
    }
    const here = `${me} ${talk.name}`;
    if (shown !== here) {
      list.replaceChildren();
      state.isAtEnd = true;
      firstKey = undefined;
    }
    shown = here;
    const lines = linesOf(talk, me);
    const [heightBefore, topBefore] = [scroller.scrollHeight, scroller.scrollTop];
    reconcile(
      list,
      lines,
      (line) =>
        makeLine(line, me, {
          again: (outgoing) => acts.again(talk, outgoing),
          discard: (outgoing) => acts.discard(talk, outgoing),
        }),
      (element, line) => updateLine(element, line, state),
    );
    const word = wordAbove(talk);
    setText(above, word ? say(language, word, { name: nameInText(state, talk.name) }) : '');
    above.classList.toggle('empty', lines.length === 0);
    retry.hidden = talk.history !== 'failed';
    newer.hidden = state.isAtEnd || talk.unread === 0;

    const key = talk.messages[0]?.id;
    if (state.isAtEnd) toEnd();
    else if (key !== firstKey) scroller.scrollTop = topBefore + scroller.scrollHeight - heightBefore;
    firstKey = key;
    wantOlder(talk);
  }

  function wantOlder(talk: Conversation): void {
    if (
      talk.history === 'loaded' &&
      talk.hasMore &&
      scroller.scrollTop < AHEAD_PX &&
      scroller.clientHeight > 0
    )
      acts.older(talk);
  }

  scroller.addEventListener('scroll', () => {
    const talk = openTalk();
    if (!talk) return;
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < NEAR_PX;
    if (isAtEnd !== state.isAtEnd) {
      state.isAtEnd = isAtEnd;
      changed();
    }
    wantOlder(talk);
  });
  // The keyboard of a phone, a longer draft, a turned screen: who was at the end stays there.
  new ResizeObserver(() => state.isAtEnd && toEnd()).observe(scroller);
  retry.addEventListener('click', () => {
    const talk = openTalk();
    if (talk) acts.older(talk);
  });
  newer.addEventListener('click', () => {
    toEnd();
    scroller.focus({ preventScroll: true });
  });
  watch(show);
}

function wordAbove(talk: Conversation): Word | undefined {
  if (talk.history === 'failed') return 'loadFailed';
  if (talk.history !== 'loaded') return 'loading';
  if (talk.hasMore) return undefined;
  if (talk.messages.length + talk.outgoing.length > 0) return 'beginning';
  return talk.name === EVERYBODY ? 'emptyEverybody' : 'emptyDirect';
}
