/**
 * How a message, a notice and a rule look: the time, who to whom, the text, wrapped with a hanging indent so that no
 * line of a text can pass for another message. Widths are those of a terminal: Chinese and emoji take two cells.
 */
import { styleText } from 'node:util';
import stringWidth from 'fast-string-width';
import type { Message } from '../client/index.ts';
import type { Say } from './i18n.ts';
import { sanitize, sanitizeLine } from './sanitize.ts';
import { wrap } from './wrap-text.ts';

/** Lines as they are for so many columns: made anew when the terminal's width changes. */
export type Block = (columns: number) => string;
type Format = Parameters<typeof styleText>[0];
export type Style = (format: Format, text: string) => string;
export type Look = { say: Say; style: Style; locale: string; me: string };

export const createStyle = (hasColors: boolean): Style => (hasColors ? styleText : (_, text) => text);

/** The same person always in the same colour. Not red: that is for trouble. */
const COLORS = ['cyan', 'green', 'magenta', 'blue', 'yellow'] as const;
/** `09:14  `, and under it. */
const INDENT = 7;
/** Narrower than that nothing can be laid out. */
const FEWEST_COLUMNS = 20;

const colorOf = (name: string): (typeof COLORS)[number] =>
  COLORS[[...name].reduce((sum, character) => sum + character.codePointAt(0)!, 0) % COLORS.length]!;

/** The last column stays free: some terminals break the line when it is filled. */
const roomIn = (columns: number): number => Math.max(FEWEST_COLUMNS, columns - 1) - INDENT;
const UNDER = `\n${' '.repeat(INDENT)}`;

/** A server may say what is no time. */
const formatted = (format: Intl.DateTimeFormat, time: string, otherwise: string): string =>
  Number.isNaN(Date.parse(time)) ? otherwise : format.format(new Date(time));

export function messageBlock(message: Message, { say, style, locale, me }: Look): Block {
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const nameOf = (name: string): string =>
    name === me ? style('bold', say('you')) : style(['bold', colorOf(name)], sanitizeLine(name));
  const who =
    message.kind === 'dm' ? `${nameOf(message.from)} → ${nameOf(message.to)}` : nameOf(message.from);
  const head = `${style('dim', formatted(time, message.sentAt, '--:--'))}  ${who}  `;
  const text = sanitize(message.text);
  return (columns) => head + wrap(text, roomIn(columns), stringWidth(head) - INDENT).join(UNDER);
}

/** What the client itself says: `mark` is one cell. `text` is our own, or was made harmless. */
export const noticeBlock =
  (mark: string, text: string, format: Format, style: Style): Block =>
  (columns) =>
    `${' '.repeat(INDENT - 2)}${mark} ${wrap(text, roomIn(columns)).join(UNDER)}`
      .split('\n')
      .map((line) => style(format, line))
      .join('\n');

/** `─── new ──────` over the whole width. */
export const ruleBlock =
  (title: string, style: Style): Block =>
  (columns) => {
    const rest = Math.max(FEWEST_COLUMNS, columns - 1) - 5 - stringWidth(title);
    return style('dim', `─── ${title} ${'─'.repeat(Math.max(0, rest))}`);
  };

/** Messages with a rule wherever a day begins. `today` needs none at the top. */
export function messageBlocks(messages: readonly Message[], look: Look, today = new Date()): Block[] {
  const day = new Intl.DateTimeFormat(look.locale, { weekday: 'long', day: 'numeric', month: 'long' });
  let last = day.format(today);
  return messages.flatMap((message, index) => {
    const current = formatted(day, message.sentAt, last);
    const isNew = current !== last && (index > 0 || current !== day.format(today));
    last = current;
    return [...(isNew ? [ruleBlock(current, look.style)] : []), messageBlock(message, look)];
  });
}
