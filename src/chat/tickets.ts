/**
 * Tickets, for clients that cannot send a header when they open a stream. A ticket is part of a URL, so it is short-lived
 * and opens one stream, once, while its session lasts. Only its hash is stored.
 */
import { createHash, randomBytes } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { TicketStore } from '../store/tickets.ts';
import type { Caller } from './model.ts';
import { Problem } from './problems.ts';

export type Tickets = ReturnType<typeof createTickets>;

const TTL_SECONDS = 30;
const hashOf = (ticket: string) => createHash('sha256').update(ticket).digest('base64url');

export function createTickets(options: {
  store: TicketStore;
  isRevoked: (sid: string) => boolean;
  now: () => number;
}) {
  const { store, isRevoked, now } = options;
  return {
    async issue(caller: Caller): Promise<components['schemas']['Ticket']> {
      const ticket = randomBytes(32).toString('base64url');
      await store.put(hashOf(ticket), caller, TTL_SECONDS * 1_000);
      return { ticket, expiresIn: TTL_SECONDS };
    },

    /** Returns the caller that the ticket was issued to. A ticket works only once. */
    async redeem(ticket: string): Promise<Caller> {
      const caller = await store.take(hashOf(ticket));
      if (!caller)
        throw new Problem('bad_ticket', 'The ticket is unknown, used or too old: get another one.');
      if (isRevoked(caller.sid)) throw new Problem('session_ended', 'This session has ended: log in again.');
      if (caller.expiresAtMs <= now())
        throw new Problem('token_expired', 'The access token behind the ticket has expired: call refresh.');
      return caller;
    },
  };
}
