/**
 * Appends to the logs of channels and delivers to inboxes. Every write is one script, so it happens completely or not at
 * all.
 */
import { setImmediate } from 'node:timers/promises';
import type { RateLimit } from '../../rate-limit-setting.ts';
import { EVERYONE, otherMember } from '../channels.ts';
import { createInboxes } from '../inboxes.ts';
import { type Store, StoreUnavailable } from '../redis/client.ts';
import { inboxKeys } from '../redis/keys.ts';
import type { ScriptReplies } from '../redis/scripts.ts';
import { type Draft, messageJson, parseEntry, sentAtOf } from './entry.ts';
import { createLogReader } from './log-reader.ts';

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

/** Each call examines some thousand entries of a full inbox; an inbox has at most three times its limit. */
const MAX_CALLS = 100;

export type LogStore = ReturnType<typeof createLogStore>;

export function createLogStore(
  store: Store,
  options: { retention: Retention; sendLimit: RateLimit; newEpoch: () => string },
) {
  const { keys, append } = store;
  const { retention, sendLimit, newEpoch } = options;
  /** Joined into one argument: each argument costs both sides a little on every message. */
  const directLimits = [
    ...[retention.history, retention.historyBytes, retention.inbox, retention.inboxBytes],
    ...[retention.accountBytes, sendLimit.max, sendLimit.windowMs],
  ].join(' ');

  return {
    ...createLogReader(store, newEpoch),
    ...createInboxes(store, retention, newEpoch),

    async broadcast(draft: Draft): Promise<AppendResult> {
      const { list, hash } = keys.everyone;
      const reply = await append(
        'broadcast-append',
        hash,
        [list, hash, keys.sendLimit(draft.from)],
        [
          ...[keys.channels.everyone, retention.broadcasts, retention.broadcastBytes, newEpoch()],
          ...[draft.key, draft.origin, draft.id, `${draft.from} ${draft.json}`],
          ...[sendLimit.max, sendLimit.windowMs],
        ],
      );
      return resultOf(reply, EVERYONE, draft);
    },

    async direct(channel: string, draft: Draft): Promise<AppendResult> {
      const { from } = draft;
      const to = otherMember(channel, from);
      const [sender, reader] = [keys.inbox(from), keys.inbox(to)];
      const { list, hash } = keys.direct(channel);
      const scriptKeys = [
        ...[list, hash, keys.sendLimit(from), keys.account(to)],
        ...inboxKeys(sender),
        ...inboxKeys(reader),
      ];
      const args = [
        ...[from, to, channel, sender.pubsub, reader.pubsub, directLimits, newEpoch()],
        ...[draft.key, draft.origin, draft.id, sentAtOf(draft), `${from} ${draft.json}`],
      ];
      for (let call = 0; call < MAX_CALLS; call += 1) {
        const reply = await append('direct-append', hash, scriptKeys, args);
        if (reply[0] !== 'again') return resultOf(reply, channel, draft);
        await setImmediate(); // let other requests run
      }
      throw new StoreUnavailable('a full inbox could not be cleared');
    },
  };
}

type AppendReply = Exclude<ScriptReplies['direct-append'], readonly ['again']>;

function resultOf(reply: AppendReply, channel: string, draft: Draft): AppendResult {
  switch (reply[0]) {
    case 'appended':
      return { outcome: 'appended', message: messageJson(channel, draft, reply[1]) };
    case 'replayed':
      return { outcome: 'replayed', message: parseEntry(0, reply[1], channel).message };
    case 'limited':
      return { outcome: 'limited', waitMs: reply[1] };
    default:
      return { outcome: reply[0] };
  }
}
