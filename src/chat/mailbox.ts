/** The mailbox: what an account's inbox holds that it has not acknowledged; own copies do not count. */
import type { components } from '../contract.d.ts';
import { inboxState } from '../store/inboxes.ts';
import type { Keys } from '../store/keys.ts';
import type { Logs, Position } from '../store/logs.ts';
import type { Caller, DirectMessage } from './model.ts';
import { Problem } from './problems.ts';

export type MailboxPage = components['schemas']['Mailbox'];
export type Mailbox = ReturnType<typeof createMailbox>;

const unknownMessage = () => new Problem('unknown_message', 'The inbox holds no message with this id.');

export function createMailbox(options: {
  logs: Logs;
  keys: Keys;
  /** The inbox position that an event id of the stream stands for; undefined for what is none. */
  positionOf: (eventId: string) => Position | undefined;
}) {
  const { logs, keys, positionOf } = options;

  return {
    /** Oldest first. `after`: the id of the last message of the page before. */
    async list(caller: Caller, limit: number, after: string | undefined): Promise<MailboxPage> {
      const inbox = keys.inbox(caller.username);
      const [opening, afterSeq] = await Promise.all([
        logs.read(inbox, { count: 0 }),
        after === undefined ? 0 : logs.seqInInbox(caller.username, after),
      ]);
      if (afterSeq === undefined) throw unknownMessage();
      const { acked, unread, overflowed, isCounted } = inboxState(opening);
      if (!isCounted) return logs.recount(caller.username).then(() => this.list(caller, limit, after));
      const found: string[] = [];
      let seq = Math.max(acked, afterSeq);
      while (found.length <= limit && seq < opening.head.seq) {
        const { entries } = await logs.read(inbox, { after: seq, count: limit + 1 });
        const last = entries.at(-1);
        if (!last) break;
        for (const { origin, message } of entries) if (origin === '-') found.push(message);
        seq = last.seq;
      }
      const messages = found.slice(0, limit).map((message) => JSON.parse(message) as DirectMessage);
      const dropped = { from: acked + 1, to: opening.first - 1, history: '/v1/dm' };
      return {
        messages,
        unread,
        gap: overflowed ? { log: 'inbox', reason: 'overflow', ...dropped } : null,
        hasMore: found.length > limit,
      };
    },

    /** Acknowledge everything up to a message id or an event id; answers what is left unread. */
    async ack(caller: Caller, upTo: string): Promise<{ unread: number }> {
      const unread = await logs.ack(caller.username, caller.sid, positionOf(upTo) ?? upTo);
      if (unread === undefined) throw unknownMessage();
      return { unread };
    },
  };
}
