/** Somebody who is logged in at a terminal: all that a menu and the chat screen work with. */
import type { Message, Parley, Result } from '../client/index.ts';
import type { Look } from './format-message.ts';
import type { LiveState } from './live-state.ts';
import { EVERYBODY, type Outbox } from './outbox.ts';
import { sanitizeLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';

export type ChatContext = {
  me: string;
  parley: Parley;
  feed: LiveState;
  outbox: Outbox;
  terminal: Terminal;
};

export const lookOf = ({ me, terminal: { say, style, locale } }: ChatContext): Look => ({
  me,
  say,
  style,
  locale,
});

/** The name of whom one talks to, as it is shown. */
export const shownName = (to: string, { say }: Terminal): string =>
  to === EVERYBODY ? say('everybody') : sanitizeLine(to);

export type Page = { before?: number; limit: number };

/** What was said to everybody, or with one person: newest page first, each oldest first. */
export const fetchHistory = (
  { parley }: ChatContext,
  to: string,
  page: Page,
): Promise<Result<{ messages: Message[]; hasMore: boolean }>> =>
  to === EVERYBODY ? parley.listBroadcasts(page) : parley.listDirect(to, page);
