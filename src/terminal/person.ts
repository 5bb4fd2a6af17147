/** Somebody who is logged in at a terminal: all that a menu and the chat screen work with. */
import type { Message, Parley, Result } from '../client/index.ts';
import type { Feed } from './feed.ts';
import { harmlessLine } from './harmless.ts';
import type { Look } from './lines.ts';
import { EVERYBODY, type Outbox } from './outbox.ts';
import type { Terminal } from './terminal.ts';

export type Person = {
  me: string;
  parley: Parley;
  feed: Feed;
  outbox: Outbox;
  terminal: Terminal;
};

export const lookOf = ({ me, terminal: { say, style, locale } }: Person): Look => ({
  me,
  say,
  style,
  locale,
});

/** The name of whom one talks to, as it is shown. */
export const shownName = (to: string, { say }: Terminal): string =>
  to === EVERYBODY ? say('everybody') : harmlessLine(to);

export type Page = { before?: number; limit: number };

/** What was said to everybody, or with one person: newest page first, each oldest first. */
export const fetchHistory = (
  { parley }: Person,
  to: string,
  page: Page,
): Promise<Result<{ messages: Message[]; hasMore: boolean }>> =>
  to === EVERYBODY ? parley.listBroadcasts(page) : parley.listDirect(to, page);
