/** Moments as people read them, in their language and zone. */
import type { Language } from './i18n.ts';

const FORMATS = {
  clock: { hour: 'numeric', minute: '2-digit' },
  day: { weekday: 'long', day: 'numeric', month: 'long' },
  dayOfYear: { day: 'numeric', month: 'long', year: 'numeric' },
  full: { dateStyle: 'full', timeStyle: 'medium' },
  short: { dateStyle: 'medium', timeStyle: 'short' },
} satisfies Record<string, Intl.DateTimeFormatOptions>;

const made = new Map<string, Intl.DateTimeFormat>();

function format(kind: keyof typeof FORMATS, language: Language, date: Date): string {
  const key = `${kind} ${language}`;
  // The browser's own flavour of the language, where it has one: 24 hours in Britain.
  const locale = navigator.languages.find((each) => each.startsWith(language)) ?? language;
  const formatter = made.get(key) ?? new Intl.DateTimeFormat(locale, FORMATS[kind]);
  made.set(key, formatter);
  return formatter.format(date);
}

export const clock = (language: Language, at: string): string => format('clock', language, new Date(at));
export const fullTime = (language: Language, at: string): string => format('full', language, new Date(at));
export const dayOf = (at: string): string => new Date(at).toDateString();

export function day(language: Language, at: string): string {
  const date = new Date(at);
  const today = new Date();
  const daysAgo = Math.round((startOf(today) - startOf(date)) / 86_400_000);
  if (daysAgo === 0 || daysAgo === 1) {
    const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' }).format(-daysAgo, 'day');
    return relative.charAt(0).toUpperCase() + relative.slice(1);
  }
  return format(date.getFullYear() === today.getFullYear() ? 'day' : 'dayOfYear', language, date);
}

/** The clock today, the day and the clock before. */
export const moment = (language: Language, at: string): string =>
  dayOf(at) === new Date().toDateString() ? clock(language, at) : format('short', language, new Date(at));

const startOf = (date: Date): number =>
  new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
