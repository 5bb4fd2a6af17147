/**
 * The three uses of a log: broadcasts, conversations, inboxes. Owns the scripts that append. Every write is one script,
 * so it happens completely or not at all.
 */
import type { RateLimit } from '../../rate-limit-setting.ts';
import { inboxKeys } from '../inbox-recount.ts';
import { createInboxes } from '../inboxes.ts';
import type { Store } from '../redis/client.ts';
import type { LogKeys } from '../redis/keys.ts';
import type { ScriptReplies } from '../redis/scripts.ts';
import { parseEntry } from './entry.ts';
import { createLogReader } from './log-reader.ts';

export type Draft = {
  id: string;
  sid: string;
  /** Digest of account and idempotency key, or '-'. */
  key: string;
  /** The message as JSON without `seq` and the closing brace. */
  jsonPrefix: string;
  limitedAs: string;
};
export type AppendResult =
  | { outcome: 'appended' | 'replayed'; message: string }
  | { outcome: 'limited'; waitMs: number }
  | { outcome: 'unknown' }
  | { outcome: 'mailbox_full' }
  | { outcome: 'quota_exceeded' };

/** Retention per log, in entries and bytes; per account, the bytes it has sent. */
export type Retention = {
  broadcasts: number;
  broadcastBytes: number;
  history: number;
  historyBytes: number;
  inbox: number;
  inboxBytes: number;
  accountBytes: number;
};

export type LogStore = ReturnType<typeof createLogStore>;

export function createLogStore(
  store: Store,
  options: { retention: Retention; sendLimit: RateLimit; newEpoch: () => string },
) {
  const { keys, append } = store;
  const { retention, sendLimit, newEpoch } = options;
  const inboxes = createInboxes(store, retention);
  /** Joined into one argument: each argument costs both sides a little on every message. */
  const directLimits = [
    ...[retention.history, retention.historyBytes, retention.inbox, retention.inboxBytes],
    ...[retention.accountBytes, sendLimit.max, sendLimit.windowMs],
  ].join(' ');

  return {
    ...createLogReader(store),
    ...inboxes,

    async broadcast(draft: Draft): Promise<AppendResult> {
      const reply = await append(
        'broadcast-append',
        keys.broadcasts.meta,
        [...logKeys(keys.broadcasts), keys.limit('send', draft.limitedAs)],
        [
          ...[keys.channels.broadcasts, retention.broadcasts, retention.broadcastBytes, newEpoch()],
          ...[draft.key, draft.sid, draft.id, draft.jsonPrefix],
          ...[sendLimit.max, sendLimit.windowMs],
        ],
      );
      return resultOf(reply);
    },

    async direct(from: string, to: string, draft: Draft): Promise<AppendResult> {
      const [sender, reader] = [keys.inbox(from), keys.inbox(to)];
      const conversation = keys.conversation(from, to);
      const reply = await inboxes.whenCounted([from, to], () =>
        append(
          'direct-append',
          conversation.meta,
          [
            ...logKeys(conversation),
            ...[keys.limit('send', draft.limitedAs), keys.account(to)],
            ...[sender.conversations, ...inboxKeys(sender)],
            ...[reader.conversations, ...inboxKeys(reader)],
          ],
          [
            ...[from, to, sender.channel, reader.channel, directLimits, newEpoch()],
            ...[draft.key, draft.sid, draft.id, draft.jsonPrefix],
          ],
        ),
      );
      return resultOf(reply);
    },
  };
}

const logKeys = (log: LogKeys): string[] => [log.list, log.meta, log.keys];

function resultOf(reply: Exclude<ScriptReplies['direct-append'], readonly ['uncounted']>): AppendResult {
  switch (reply[0]) {
    case 'appended':
      return { outcome: 'appended', message: reply[1] };
    case 'replayed':
      return { outcome: 'replayed', message: parseEntry(0, reply[1]).message }; // the script returns the stored entry
    case 'limited':
      return { outcome: 'limited', waitMs: reply[1] };
    default:
      return { outcome: reply[0] };
  }
}
