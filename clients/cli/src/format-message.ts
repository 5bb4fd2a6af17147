/**
 * Formats messages, notices and rules. Text is wrapped with a hanging indent, so that no line of a message can pass for
 * another message. Widths are in terminal cells: Chinese characters and emoji take two.
 */
import { styleText } from 'node:util';
import type { Message } from '@parley-chat/client';
import stringWidth from 'fast-string-width';
import type { Say } from './i18n.ts';
import { sanitize, sanitizeLine } from './sanitize.ts';
import { wrap } from './wrap-text.ts';

/** Renders text for a given width; called again when the terminal is resized. */
export type Block = (columns: number) => string;
type Format = Parameters<typeof styleText>[0];
export type Style = (format: Format, text: string) => string;
export type RenderOptions = { say: Say; style: Style; locale: string; me: string };

export const createStyle = (hasColors: boolean): Style => (hasColors ? styleText : (_, text) => text);

/** One colour per name. Red is left out: it means trouble. */
const COLORS = ['cyan', 'green', 'magenta', 'blue', 'yellow'] as const;
/** The width of `09:14  `, and of the indent below it. */
const INDENT = 7;
/** A narrower terminal gets the layout for this width. */
const MIN_COLUMNS = 20;

const colorOf = (name: string): (typeof COLORS)[number] =>
  COLORS[[...name].reduce((sum, character) => sum + character.codePointAt(0)!, 0) % COLORS.length]!;

/** The last column stays free: some terminals wrap when it is filled. */
const textColumns = (columns: number): number => Math.max(MIN_COLUMNS, columns - 1) - INDENT;
const CONTINUATION = `\n${' '.repeat(INDENT)}`;

/** Returns `otherwise` if the server sent an invalid time. */
const formatTime = (format: Intl.DateTimeFormat, time: string, otherwise: string): string =>
  Number.isNaN(Date.parse(time)) ? otherwise : format.format(new Date(time));

export function messageBlock(message: Message, { say, style, locale, me }: RenderOptions): Block {
  const time = new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const nameOf = (name: string): string =>
    name === me ? style('bold', say('you')) : style(['bold', colorOf(name)], sanitizeLine(name));
  const who =
    message.kind === 'dm' ? `${nameOf(message.from)} → ${nameOf(message.to)}` : nameOf(message.from);
  const head = `${style('dim', formatTime(time, message.sentAt, '--:--'))}  ${who}  `;
  const text = sanitize(message.text);
  return (columns) => head + wrap(text, textColumns(columns), stringWidth(head) - INDENT).join(CONTINUATION);
}

/** A notice of the client. `mark` takes one cell; `text` must be sanitized. */
export const noticeBlock =
  (mark: string, text: string, format: Format, style: Style): Block =>
  (columns) =>
    `${' '.repeat(INDENT - 2)}${mark} ${wrap(text, textColumns(columns)).join(CONTINUATION)}`
      .split('\n')
      .map((line) => style(format, line))
      .join('\n');

/** `─── title ──────` across the whole width. */
export const ruleBlock =
  (title: string, style: Style): Block =>
  (columns) => {
    const rest = Math.max(MIN_COLUMNS, columns - 1) - 5 - stringWidth(title);
    return style('dim', `─── ${title} ${'─'.repeat(Math.max(0, rest))}`);
  };

/** Messages with a rule at the start of each day, except when the first day is today. */
export function messageBlocks(
  messages: readonly Message[],
  renderOptions: RenderOptions,
  today = new Date(),
): Block[] {
  const day = new Intl.DateTimeFormat(renderOptions.locale, {
    weekday: 'long',
    day: 'numeric',
    month: 'long',
  });
  let last = day.format(today);
  return messages.flatMap((message, index) => {
    const current = formatTime(day, message.sentAt, last);
    const isNew = current !== last && (index > 0 || current !== day.format(today));
    last = current;
    return [
      ...(isNew ? [ruleBlock(current, renderOptions.style)] : []),
      messageBlock(message, renderOptions),
    ];
  });
}
