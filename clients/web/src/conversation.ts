/**
 * A talk: what the page shows as one list. Either the broadcasts (EVERYBODY) or the conversation with one account.
 * It holds the messages that are loaded, without holes and in order of seq, and what is on its way out.
 *
 * Limit: of a talk that is not being read back in, the newest 1,000 messages are kept; the rest is loaded again.
 */
import type { Message, ProblemCode, User } from '@parley-chat/client';

/** No username can be that. */
export const EVERYBODY = '*';

export type Outgoing = {
  /** The same for every attempt, so that however many reach the server, one message is stored. */
  idempotencyKey: string;
  text: string;
  sentAt: string;
  /** Why the last attempt failed; undefined while one is under way. */
  failure: ProblemCode | undefined;
};

export type Conversation = {
  name: string;
  messages: Message[];
  outgoing: Outgoing[];
  draft: string;
  unread: number;
  /** `loaded`: the newest page is here, and all since. */
  history: 'unknown' | 'loading' | 'loaded' | 'failed';
  hasMore: boolean;
  /** Known of the other account, when the talk was opened. */
  user: User | undefined;
};

const KEPT = 1_000;

export const newConversation = (name: string): Conversation => ({
  name,
  messages: [],
  outgoing: [],
  draft: '',
  unread: 0,
  history: 'unknown',
  hasMore: false,
  user: undefined,
});

export const lastOf = (talk: Conversation): Message | undefined => talk.messages.at(-1);

export function insert(talk: Conversation, messages: Message[]): void {
  const byId = new Map([...talk.messages, ...messages].map((message) => [message.id, message]));
  talk.messages = [...byId.values()].sort((one, other) => one.seq - other.seq);
}

/** The newest page, as the server has it now. Of what was here, only what is newer is kept. */
export function replace(talk: Conversation, page: Message[], hasMore: boolean): void {
  const newest = page.at(-1)?.seq ?? 0;
  talk.messages = talk.messages.filter(({ seq }) => seq > newest);
  insert(talk, page);
  talk.hasMore = hasMore;
}

/** So that a page that is open for weeks does not grow for weeks. */
export function trim(talk: Conversation): void {
  if (talk.messages.length <= 1.2 * KEPT) return;
  talk.messages = talk.messages.slice(-KEPT);
  talk.hasMore = true;
}
