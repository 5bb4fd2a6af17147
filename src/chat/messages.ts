/** Messages: broadcasts, direct messages, their histories, and the list of conversations. */
import { createHash } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { ConversationStore, ListPlace } from '../store/conversations.ts';
import type { LogPart, Window } from '../store/log/log-reader.ts';
import type { AppendResult, Draft, LogStore } from '../store/log/log-store.ts';
import type { Keys } from '../store/redis/keys.ts';
import { newMessageId } from './message-ids.ts';
import {
  type BroadcastMessage,
  type Caller,
  checkText,
  type DirectMessage,
  type Json,
  type Message,
  unknownUser,
} from './model.ts';
import { invalid, Problem, tooMany } from './problems.ts';
import type { StorageGuard } from './storage-guard.ts';
import type { UsernameRegistry } from './username-registry.ts';

export type Sent<M extends Message> = { message: Json<M>; isReplay: boolean };
export type Page<M extends Message> = { messages: M[]; hasMore: boolean };
export type PageRequest = { before?: number | undefined; after?: number | undefined; limit: number };
export type ConversationPage = components['schemas']['ConversationPage'];
export type Messages = ReturnType<typeof createMessages>;

const QUOTA_EXCEEDED =
  'Your direct messages fill the storage of your account, and the beginning of this conversation has too few of them to replace. Go on in a conversation where you wrote more: its oldest messages make room, also for this one.';
const MAILBOX_FULL =
  'Their mailbox has no room for more from people they have never written to. It has again when they read their mail.';

export function createMessages(options: {
  logs: LogStore;
  conversations: ConversationStore;
  accounts: AccountStore;
  names: UsernameRegistry;
  keys: Keys;
  now: () => number;
  storage: StorageGuard;
  sent: (kind: Message['kind']) => void;
}) {
  const { logs, conversations, accounts, names, keys, now, storage, sent } = options;

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
      jsonPrefix: json.slice(0, -1),
      limitedAs: caller.username,
    };
  }

  /** The stored lines are messages of their log: only this server writes them. */
  function settle<M extends Message>(kind: M['kind'], appended: AppendResult, text: string): Sent<M> {
    if (appended.outcome === 'unknown') throw unknownUser();
    if (appended.outcome === 'mailbox_full') throw new Problem(appended.outcome, MAILBOX_FULL);
    if (appended.outcome === 'quota_exceeded') throw new Problem(appended.outcome, QUOTA_EXCEEDED);
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
      const drafted = draft(caller, { text }, key);
      return settle('broadcast', await storage.store(() => logs.broadcast(drafted)), text);
    },

    async direct(caller: Caller, name: string, text: string, key?: string): Promise<Sent<DirectMessage>> {
      const to = await names.resolveOrUnknown(name);
      const drafted = draft(caller, { to, text }, key);
      return settle('dm', await storage.store(() => logs.direct(caller.username, to, drafted)), text);
    },

    async broadcasts(
      { username: by }: Caller,
      request: PageRequest,
      signal?: AbortSignal,
    ): Promise<Page<BroadcastMessage>> {
      return page(await logs.read(keys.broadcasts, { ...windowOf(request), requester: by, signal }), request);
    },

    async conversation(
      { username: by }: Caller,
      name: string,
      request: PageRequest,
      signal?: AbortSignal,
    ): Promise<Page<DirectMessage>> {
      const other = await names.resolveOrUnknown(name);
      const [part, exists] = await Promise.all([
        logs.read(keys.conversation(by, other), { ...windowOf(request), requester: by, signal }),
        accounts.exists(other),
      ]);
      if (!exists) throw unknownUser();
      return page(part, request);
    },

    /** Newest first. Ends at its count, or where the last messages would be more than a page may hold. */
    async conversations(
      { username }: Caller,
      limit: number,
      cursor: string | undefined,
      signal?: AbortSignal,
    ): Promise<ConversationPage> {
      const place = cursor === undefined ? undefined : parseListCursor(cursor);
      const { listed, next } = await conversations.page(username, limit, place, signal);
      const others = listed.map(({ other }) => other);
      const [newest, unread] = await Promise.all([
        conversations.newest(username, others, signal),
        logs.unreadOf(username, others, signal),
      ]);
      const end = newest.length < listed.length ? listed[newest.length - 1] : undefined;
      const from = end ? { before: end.at, from: end.other } : next;
      return {
        conversations: newest.flatMap((last, index) => {
          const other = others[index]!;
          return last
            ? [{ with: other, last: JSON.parse(last) as DirectMessage, unread: unread[index] ?? 0 }]
            : [];
        }),
        nextCursor: from ? formatListCursor(from) : null,
      };
    },
  };
}

/** The digest of an idempotency key that a log stores; it cannot collide with a key of another account. */
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

/** `before.name`, the name in base64url: fit for a URL whatever its script. */
const LIST_CURSOR = /^(-?[0-9a-z]{1,10})\.([\w-]{1,200})$/;

function formatListCursor({ before, from }: ListPlace): string {
  return `${before.toString(36)}.${Buffer.from(from).toString('base64url')}`;
}

function parseListCursor(cursor: string): ListPlace {
  const [, before = '', name = ''] = LIST_CURSOR.exec(cursor) ?? [];
  const place = {
    before: Number.parseInt(before, 36),
    from: Buffer.from(name, 'base64url').toString(),
  };
  if (formatListCursor(place) !== cursor) throw invalid('query/cursor', 'is not a cursor of this list');
  return place;
}

/** A page of a log, read and worded as the contract has it. */
function page<M extends Message>(part: LogPart, { after }: PageRequest): Page<M> {
  const messages = part.entries.map(({ message }) => JSON.parse(message) as M);
  const [oldest, newest] = [part.entries[0], part.entries.at(-1)];
  const hasMore =
    after === undefined ? oldest && oldest.seq > part.first : newest && newest.seq < part.end.seq;
  return { messages, hasMore: hasMore ?? false };
}
