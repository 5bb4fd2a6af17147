/** One line of the list of messages: a day, a message, or one that is on its way out. Texts are text, never markup. */
import type { Message } from '@parley-chat/client';
import { avatar } from './avatar.ts';
import type { Conversation, Outgoing } from './conversation.ts';
import { el, setText } from './dom.ts';
import { say } from './i18n.ts';
import { displayNameOf, usernameBeside } from './names.ts';
import type { State } from './state.ts';
import { wordFor } from './state.ts';
import { clock, day, dayOf, fullTime } from './time.ts';

export type Line = { key: string; sentAt: string } & (
  | { kind: 'day' }
  | { kind: 'message'; message: Message; isFirst: boolean }
  | { kind: 'outgoing'; outgoing: Outgoing; isFirst: boolean }
);

/** Messages of one sender that follow one another so closely stand together. */
const TOGETHER_MS = 5 * 60_000;

export function linesOf(talk: Conversation, me: string): Line[] {
  const lines: Line[] = [];
  let before: { from: string; sentAt: string } | undefined;
  const add = (from: string, sentAt: string, line: (isFirst: boolean) => Line) => {
    const isNewDay = !before || dayOf(before.sentAt) !== dayOf(sentAt);
    if (isNewDay) lines.push({ key: `day ${dayOf(sentAt)}`, kind: 'day', sentAt });
    const isClose = before && Date.parse(sentAt) - Date.parse(before.sentAt) < TOGETHER_MS;
    lines.push(line(isNewDay || !isClose || before?.from !== from));
    before = { from, sentAt };
  };
  for (const message of talk.messages) {
    const { id, from, sentAt } = message;
    add(from, sentAt, (isFirst) => ({ key: id, kind: 'message', sentAt, message, isFirst }));
  }
  for (const outgoing of talk.outgoing) {
    const { idempotencyKey, sentAt } = outgoing;
    add(me, sentAt, (isFirst) => ({ key: idempotencyKey, kind: 'outgoing', sentAt, outgoing, isFirst }));
  }
  return lines;
}

type Acts = { again(outgoing: Outgoing): void; discard(outgoing: Outgoing): void };

export function makeLine(line: Line, me: string, acts: Acts): HTMLElement {
  if (line.kind === 'day') return el('li', { class: 'day' }, el('time', {}));
  const isMine = line.kind === 'outgoing' || line.message.from === me;
  const from = isMine ? me : line.kind === 'message' ? line.message.from : '';
  const text = line.kind === 'outgoing' ? line.outgoing.text : line.message.text;
  const element = el(
    'li',
    { class: isMine ? 'message mine' : 'message' },
    avatar(from),
    el(
      'p',
      { class: 'head' },
      el('span', { class: 'from', dir: 'auto' }),
      ' ',
      el('span', { class: 'username', dir: 'auto' }),
      ' ',
      el('time', {}),
    ),
    el('p', { class: 'text', dir: 'auto' }, text),
  );
  if (line.kind === 'outgoing') element.append(footOf(line.outgoing, acts));
  return element;
}

function footOf(outgoing: Outgoing, acts: Acts): HTMLElement {
  const again = el('button', { type: 'button', class: 'small again' });
  const discard = el('button', { type: 'button', class: 'small discard' });
  again.addEventListener('click', () => acts.again(outgoing));
  discard.addEventListener('click', () => acts.discard(outgoing));
  return el('p', { class: 'foot' }, el('span', { class: 'fate' }), again, discard);
}

export function updateLine(element: HTMLElement, line: Line, state: State): void {
  const { language } = state;
  const time = element.querySelector('time')!;
  time.dateTime = line.sentAt;
  setText(time, line.kind === 'day' ? day(language, line.sentAt) : clock(language, line.sentAt));
  if (line.kind === 'day') return;
  const full = fullTime(language, line.sentAt);
  if (element.title !== full) element.title = full;
  element.classList.toggle('first', line.isFirst);
  const from = line.kind === 'message' ? line.message.from : (state.me ?? '');
  setText(element.querySelector('.from')!, displayNameOf(state, from));
  setText(element.querySelector('.username')!, usernameBeside(state, from));
  if (line.kind === 'message') return;
  const { failure } = line.outgoing;
  element.classList.toggle('failed', failure !== undefined);
  const [fate, again, discard] = ['.fate', '.again', '.discard'].map(
    (each) => element.querySelector<HTMLElement>(each)!,
  );
  setText(
    fate!,
    failure
      ? say(language, 'notSent', { reason: say(language, wordFor(failure)) })
      : say(language, 'sending'),
  );
  for (const button of [again!, discard!]) button.hidden = failure === undefined;
  setText(again!, say(language, 'again'));
  setText(discard!, say(language, 'discard'));
}
