/** What the menus and the chat screen share after login. */
import type { Message, Parley, Result } from '@parley-chat/client';
import type { RenderOptions } from './format-message.ts';
import type { LiveState } from './live-state.ts';
import { EVERYBODY, type Outbox } from './outbox.ts';
import { sanitizeLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';

export type ChatContext = {
  me: string;
  parley: Parley;
  live: LiveState;
  outbox: Outbox;
  terminal: Terminal;
};

export const renderOptionsOf = ({ me, terminal: { say, style, locale } }: ChatContext): RenderOptions => ({
  me,
  say,
  style,
  locale,
});

/** The display name of a target. */
export const shownName = (to: string, { say }: Terminal): string =>
  to === EVERYBODY ? say('everybody') : sanitizeLine(to);

export type Page = { before?: number; limit: number };

/** Fetches one page of history, the newest page by default. Messages are in ascending order. */
export const fetchHistory = (
  { parley }: ChatContext,
  to: string,
  page: Page,
): Promise<Result<{ messages: Message[]; hasMore: boolean }>> =>
  to === EVERYBODY ? parley.listBroadcasts(page) : parley.listDirect(to, page);
