/** The mailbox: the messages that an account has received and not acknowledged. */
import type { components } from '../contract.d.ts';
import { parseCursor } from '../store/log/cursor.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Caller, DirectMessage } from './model.ts';
import { Problem } from './problems.ts';

export type MailboxPage = components['schemas']['Mailbox'];
export type Mailbox = ReturnType<typeof createMailbox>;

const unknownMessage = () =>
  new Problem(
    'unknown_message',
    'Your inbox contains no message or event with this id. List the mailbox again from the start.',
  );

export function createMailbox({ logs }: { logs: LogStore }) {
  return {
    /** Returns a page, oldest first. `after` is the id of the last message of the previous page. */
    async list(
      caller: Caller,
      limit: number,
      after: string | undefined,
      signal?: AbortSignal,
    ): Promise<MailboxPage> {
      const { username } = caller;
      let part = await logs.mailbox(username, after ?? 0, limit, signal);
      let [evictedFrom, evictedTo] = [part?.evictedFrom ?? 0, part?.evictedTo ?? 0];
      while (part?.hasMore && part.messages.length === 0) {
        part = await logs.mailbox(username, part.scannedTo, limit, signal);
        evictedFrom ||= part?.evictedFrom ?? 0;
        evictedTo = part?.evictedTo || evictedTo;
      }
      if (!part) throw unknownMessage();
      const { acked, unread, overflowed } = part.state;
      // A gap begins after the last acknowledged message, except on a later page that has evicted messages of its own.
      const beginsAtStart = overflowed && (after === undefined || !evictedFrom);
      const from = beginsAtStart ? acked + 1 : evictedFrom;
      const to = evictedTo || part.first - 1;
      return {
        messages: part.messages.map((message) => JSON.parse(message) as DirectMessage),
        unread,
        gap: from ? { log: 'inbox', reason: 'overflow', from, to, history: 'dm' } : null,
        hasMore: part.hasMore,
      };
    },

    /** Acknowledges everything up to a message id or an event id. Returns the remaining number of unread messages. */
    async ack(caller: Caller, upTo: string, signal?: AbortSignal): Promise<{ unread: number }> {
      const unread = await logs.ack(caller.username, caller.sid, parseCursor(upTo)?.inbox ?? upTo, signal);
      if (unread === undefined) throw unknownMessage();
      return { unread };
    },
  };
}
