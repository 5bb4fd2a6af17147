/** Unused tickets. They are stored by hash, so that read access to Redis does not yield a usable ticket. */
import type { Store } from './redis/client.ts';

/** The session a ticket stands for, and when the access token that requested it expires. */
export type TicketHolder = { username: string; sid: string; expiresAtMs: number };
export type TicketStore = ReturnType<typeof createTicketStore>;

export function createTicketStore({ keys, commands, run, transact }: Store) {
  return {
    async put(hash: string, { username, sid, expiresAtMs }: TicketHolder, ttlMs: number): Promise<void> {
      const key = keys.ticket(hash);
      await transact(commands.multi().hset(key, { username, sid, expiresAtMs }).pexpire(key, ttlMs));
    },

    /** Undefined if the ticket is unknown, used or expired. */
    async take(hash: string): Promise<TicketHolder | undefined> {
      const [username, sid, expiresAtMs] = await run('ticket-redeem', [keys.ticket(hash)], []);
      return username === undefined || sid === undefined
        ? undefined
        : { username, sid, expiresAtMs: Number(expiresAtMs) };
    },
  };
}
