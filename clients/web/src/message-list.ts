/**
 * The messages of the open conversation. When the user is at the end of the list, new messages scroll into view. When
 * the user has scrolled up, the list does not move, whether messages are added above or below.
 */
import type { Conversation, Outgoing } from './conversation.ts';
import { byId, reconcile } from './dom.ts';
import { createHistoryStatus } from './history-status.ts';
import { linesOf, makeLine, updateLine } from './message-line.ts';
import { distanceToEnd, isAtEnd, isNearTop, scrollToDistance, scrollToEnd } from './scroll-position.ts';
import type { Store } from './state.ts';

type Acts = {
  older(conversation: Conversation): void;
  again(conversation: Conversation, outgoing: Outgoing): void;
  discard(conversation: Conversation, outgoing: Outgoing): void;
};

export function showMessages(store: Store, acts: Acts): void {
  const { state } = store;
  const scroller = byId('scroller', HTMLElement);
  const list = byId('messages', HTMLOListElement);
  const newer = byId('newer', HTMLButtonElement);
  const historyStatus = createHistoryStatus(state, () => {
    const conversation = openConversation(store);
    if (conversation) acts.older(conversation);
  });
  /** The account and the conversation whose messages the list shows. */
  let shownKey: string | undefined;
  let firstId: string | undefined;

  function show(): void {
    const { me } = state;
    const conversation = openConversation(store);
    if (me === undefined || !conversation) {
      shownKey = undefined;
      list.replaceChildren();
      return;
    }
    const key = `${me} ${conversation.name}`;
    if (shownKey !== key) {
      list.replaceChildren();
      state.isAtEnd = true;
    }
    shownKey = key;
    const distance = distanceToEnd(scroller);
    reconcile(
      list,
      linesOf(conversation, me),
      (line) => makeLine(line, me, lineActs(conversation, acts)),
      (element, line) => updateLine(element, line, state),
    );
    historyStatus.show(conversation);
    newer.hidden = state.isAtEnd || conversation.unread === 0;

    const id = conversation.messages[0]?.id;
    if (state.isAtEnd) scrollToEnd(scroller);
    else if (id !== firstId) scrollToDistance(scroller, distance);
    firstId = id;
    loadAhead(scroller, conversation, acts);
  }

  followReader(scroller, store, acts);
  newer.addEventListener('click', () => {
    scrollToEnd(scroller);
    scroller.focus({ preventScroll: true });
  });
  store.watch(show);
}

const openConversation = ({ state, talk }: Store): Conversation | undefined =>
  state.open === undefined ? undefined : talk(state.open);

const lineActs = (conversation: Conversation, { again, discard }: Acts) => ({
  again: (outgoing: Outgoing) => again(conversation, outgoing),
  discard: (outgoing: Outgoing) => discard(conversation, outgoing),
});

function followReader(scroller: HTMLElement, store: Store, acts: Acts): void {
  const { state, changed } = store;
  scroller.addEventListener('scroll', () => {
    const conversation = openConversation(store);
    if (!conversation) return;
    const wasAtEnd = state.isAtEnd;
    state.isAtEnd = isAtEnd(scroller);
    if (state.isAtEnd !== wasAtEnd) changed();
    loadAhead(scroller, conversation, acts);
  });
  // The keyboard of a phone, a longer draft or a turned screen changes the height: a reader at the end stays there.
  new ResizeObserver(() => state.isAtEnd && scrollToEnd(scroller)).observe(scroller);
}

function loadAhead(scroller: HTMLElement, conversation: Conversation, acts: Acts): void {
  if (conversation.history === 'loaded' && conversation.hasMore && isNearTop(scroller))
    acts.older(conversation);
}
