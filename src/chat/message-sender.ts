/** Sends broadcasts and direct messages. */
import { directChannel } from '../store/channels.ts';
import type { Draft } from '../store/log/entry.ts';
import type { AppendResult, LogStore } from '../store/log/log-store.ts';
import { createMessageIds } from './message-ids.ts';
import {
  type BroadcastMessage,
  type Caller,
  checkText,
  type DirectMessage,
  type Json,
  type Message,
  unknownUser,
} from './model.ts';
import { Problem, tooMany } from './problems.ts';
import { sha256 } from './sha256.ts';
import type { StorageGuard } from './storage-guard.ts';
import type { UsernameRegistry } from './username-registry.ts';

/** `isReplay`: the message was stored by an earlier request with the same idempotency key. */
export type Sent<M extends Message> = { message: Json<M>; isReplay: boolean };

const QUOTA_EXCEEDED =
  'Your direct messages have reached your storage quota, and this conversation holds too few of them to replace. Send a message in a conversation where you have written more: it replaces your oldest messages there, which makes room here too.';
const MAILBOX_FULL =
  "The recipient's mailbox is full and accepts no more messages from people they have never written to. Try again when they have read their messages.";

export function createMessageSender(options: {
  logs: LogStore;
  names: UsernameRegistry;
  storage: StorageGuard;
  now: () => number;
  /** Called once for each message that was stored. */
  onSent: (kind: Message['kind']) => void;
}) {
  const { logs, names, storage, now, onSent } = options;
  const newMessageId = createMessageIds();

  function newDraft(caller: Caller, text: string, key?: string): Draft {
    checkText('/text', text);
    return {
      id: newMessageId(now()),
      from: caller.username,
      origin: caller.sid,
      key: idempotencyDigest(caller, key),
      json: JSON.stringify({ text }),
    };
  }

  function toSent<M extends Message>(kind: M['kind'], result: AppendResult, text: string): Sent<M> {
    const message = storedMessageOf<M>(result);
    const isReplay = result.outcome === 'replayed';
    if (!isReplay) onSent(kind);
    else if ((JSON.parse(message) as M).text !== text) throw idempotencyConflict();
    return { message, isReplay };
  }

  return {
    async broadcast(caller: Caller, text: string, key?: string): Promise<Sent<BroadcastMessage>> {
      const draft = newDraft(caller, text, key);
      return toSent('broadcast', await storage.store(() => logs.broadcast(draft)), text);
    },

    async direct(caller: Caller, name: string, text: string, key?: string): Promise<Sent<DirectMessage>> {
      const to = await names.resolveOrUnknown(name);
      const draft = newDraft(caller, text, key);
      const channel = directChannel(caller.username, to);
      return toSent('dm', await storage.store(() => logs.direct(channel, draft)), text);
    },
  };
}

/** Throws a problem if nothing was stored. Only this server writes to the logs, so their lines are not validated. */
function storedMessageOf<M extends Message>(result: AppendResult): Json<M> {
  switch (result.outcome) {
    case 'unknown':
      throw unknownUser();
    case 'mailbox_full':
      throw new Problem('mailbox_full', MAILBOX_FULL);
    case 'quota_exceeded':
      throw new Problem('quota_exceeded', QUOTA_EXCEEDED);
    case 'limited':
      throw tooMany(result.waitMs, 'messages');
    case 'appended':
    case 'replayed':
      return result.message as Json<M>;
  }
}

const idempotencyConflict = () =>
  new Problem(
    'idempotency_conflict',
    'This Idempotency-Key was already used with a different text. Use a new key for a new message.',
  );

/** Identifies an idempotency key in a log. Includes the account, so that equal keys of two accounts do not collide. */
function idempotencyDigest(caller: Caller, key: string | undefined): string {
  if (key === undefined) return '-';
  return sha256(`${caller.username}\0${key}`).slice(0, 22);
}
