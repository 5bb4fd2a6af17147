/** Messages: broadcasts, direct messages, their histories, and the list of conversations. */
import { createHash } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { Keys } from '../store/keys.ts';
import type { Appended, Draft, LogPart, Logs, Window } from '../store/logs.ts';
import { newMessageId } from './ids.ts';
import {
  type BroadcastMessage,
  type Caller,
  checkText,
  type DirectMessage,
  type Json,
  type Message,
  unknownUser,
  usernameOrUnknown,
} from './model.ts';
import { invalid, Problem, tooMany } from './problems.ts';

export type Sent<M extends Message> = { message: Json<M>; isReplay: boolean };
export type Page<M extends Message> = { messages: M[]; hasMore: boolean };
export type PageRequest = { before?: number | undefined; after?: number | undefined; limit: number };
export type ConversationPage = components['schemas']['ConversationPage'];
export type Messages = ReturnType<typeof createMessages>;

export function createMessages(options: {
  logs: Logs;
  accounts: AccountStore;
  keys: Keys;
  now: () => number;
  sent: (kind: Message['kind']) => void;
}) {
  const { logs, accounts, keys, now, sent } = options;

  function draft(caller: Caller, fields: { to?: string; text: string }, key: string | undefined): Draft {
    checkText('/text', fields.text);
    const { to, text } = fields;
    const kind = to === undefined ? 'broadcast' : 'dm';
    const at = now();
    const id = newMessageId(at);
    const sentAt = new Date(at).toISOString();
    const json = JSON.stringify({ id, kind, from: caller.username, to, text, sentAt });
    return {
      id,
      sid: caller.sid,
      key: digest(caller, key),
      head: json.slice(0, -1),
      limitedAs: caller.username,
    };
  }

  /** The stored lines are messages of their log: only this server writes them. */
  function settle<M extends Message>(kind: M['kind'], appended: Appended, text: string): Sent<M> {
    if (appended.outcome === 'unknown') throw unknownUser();
    if (appended.outcome === 'limited') throw tooMany(appended.waitMs, 'messages');
    const message = appended.message as Json<M>;
    if (appended.outcome === 'appended') {
      sent(kind);
      return { message, isReplay: false };
    }
    const { text: storedText }: M = JSON.parse(message);
    if (storedText !== text)
      throw new Problem('idempotency_conflict', 'This Idempotency-Key was used for another text.');
    return { message, isReplay: true };
  }

  return {
    async broadcast(caller: Caller, text: string, key?: string): Promise<Sent<BroadcastMessage>> {
      return settle('broadcast', await logs.broadcast(draft(caller, { text }, key)), text);
    },

    async direct(caller: Caller, name: string, text: string, key?: string): Promise<Sent<DirectMessage>> {
      const to = usernameOrUnknown(name);
      return settle('dm', await logs.direct(caller.username, to, draft(caller, { to, text }, key)), text);
    },

    async broadcasts(request: PageRequest): Promise<Page<BroadcastMessage>> {
      return page(await logs.read(keys.broadcasts, windowOf(request)), request);
    },

    async conversation(caller: Caller, name: string, request: PageRequest): Promise<Page<DirectMessage>> {
      const other = usernameOrUnknown(name);
      const [part, exists] = await Promise.all([
        logs.read(keys.conversation(caller.username, other), windowOf(request)),
        accounts.exists(other),
      ]);
      if (!exists) throw unknownUser();
      return page(part, request);
    },

    /** Newest first. The cursor is `lastAt-skip`: how many of those with the same moment have been given. */
    async conversations(
      caller: Caller,
      limit: number,
      cursor: string | undefined,
    ): Promise<ConversationPage> {
      const position = /^(\d{1,16})-(\d{1,6})$/.exec(cursor ?? `${Number.MAX_SAFE_INTEGER}-0`);
      if (!position) throw invalid('query/cursor', 'is not a cursor of this list');
      const [from, skip] = [Number(position[1]), Number(position[2])];
      const all = await logs.conversations(caller.username);
      all.sort(([a, atA], [b, atB]) => atB - atA || (a < b ? -1 : 1));
      const rest = [...all.filter(([, at]) => at === from).slice(skip), ...all.filter(([, at]) => at < from)];
      const shown = rest.slice(0, limit);
      const others = shown.map(([other]) => other);
      const [newest, unread] = await Promise.all([
        logs.newestDirect(caller.username, others),
        logs.unreadOf(caller.username, others),
      ]);
      const conversations = shown.flatMap(([other], index) => {
        const last = newest[index];
        return last
          ? [{ with: other, last: JSON.parse(last) as DirectMessage, unread: unread[index] ?? 0 }]
          : [];
      });
      const end = shown.at(-1)?.[1];
      const given = shown.filter(([, at]) => at === end).length + (end === from ? skip : 0);
      return {
        conversations,
        nextCursor: rest.length > limit && end !== undefined ? `${end}-${given}` : null,
      };
    },
  };
}

/** What a log remembers of an idempotency key: nobody can guess or collide with another account's. */
function digest(caller: Caller, key: string | undefined): string {
  if (key === undefined) return '-';
  return createHash('sha256').update(`${caller.username}\0${key}`).digest('base64url').slice(0, 22);
}

function windowOf({ before, after, limit }: PageRequest): Window {
  if (before !== undefined && after !== undefined)
    throw invalid('query/before', 'excludes `after`: give one of them');
  return {
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    count: limit,
  };
}

/** A page of a log, read and worded as the contract has it. */
function page<M extends Message>(part: LogPart, { after }: PageRequest): Page<M> {
  const messages = part.entries.map(({ message }) => JSON.parse(message) as M);
  const [oldest, newest] = [part.entries[0], part.entries.at(-1)];
  const hasMore =
    after === undefined ? oldest && oldest.seq > part.first : newest && newest.seq < part.head.seq;
  return { messages, hasMore: hasMore ?? false };
}
