/**
 * Tickets, for clients that cannot send a header when they open a stream. A ticket is part of a URL, so it expires soon and
 * opens only one stream, provided that its session has not ended. Only its hash is stored.
 */
import { randomBytes } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { TicketStore } from '../store/tickets.ts';
import type { Caller } from './model.ts';
import { Problem, sessionEnded } from './problems.ts';
import { sha256 } from './sha256.ts';

export type Tickets = ReturnType<typeof createTickets>;

const TTL_SECONDS = 30;

export function createTickets(options: {
  store: TicketStore;
  isRevoked: (sid: string) => boolean;
  now: () => number;
}) {
  const { store, isRevoked, now } = options;
  return {
    async issue(caller: Caller): Promise<components['schemas']['Ticket']> {
      const ticket = randomBytes(32).toString('base64url');
      await store.put(sha256(ticket), caller, TTL_SECONDS * 1_000);
      return { ticket, expiresIn: TTL_SECONDS };
    },

    /** Returns the caller that the ticket was issued to. A ticket works only once. */
    async redeem(ticket: string): Promise<Caller> {
      const caller = await store.take(sha256(ticket));
      if (!caller)
        throw new Problem(
          'bad_ticket',
          'The ticket is unknown, already used or expired. Get a new one with POST /v1/events/ticket.',
        );
      if (isRevoked(caller.sid)) throw sessionEnded();
      if (caller.expiresAtMs <= now())
        throw new Problem(
          'token_expired',
          'The access token that was used to get the ticket has expired. Get a new one with POST /v1/refresh.',
        );
      return caller;
    },
  };
}
