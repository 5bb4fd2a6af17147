/** The user's terminal, language and text style. */
import type { ReadStream, WriteStream } from 'node:tty';
import type { Style } from './format-message.ts';
import type { Language, Say } from './i18n.ts';

export type Terminal = {
  input: ReadStream;
  output: WriteStream;
  say: Say;
  style: Style;
  language: Language;
  /** For times and dates. */
  locale: string;
};
