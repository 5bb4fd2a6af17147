/** Tickets that were not used yet. They are kept by their hash, so that whoever reads Redis cannot use one. */
import type { Store } from './redis/client.ts';

/** Whom a ticket stands for, and when the access token that asked for it expires. */
export type TicketHolder = { username: string; sid: string; expiresAtMs: number };
export type TicketStore = ReturnType<typeof createTicketStore>;

export function createTicketStore({ keys, commands, run, transact }: Store) {
  return {
    async put(hash: string, { username, sid, expiresAtMs }: TicketHolder, ttlMs: number): Promise<void> {
      const key = keys.ticket(hash);
      await transact(commands.multi().hset(key, { username, sid, expiresAtMs }).pexpire(key, ttlMs));
    },

    /** Undefined when it is unknown, used or too old. */
    async take(hash: string): Promise<TicketHolder | undefined> {
      const [username, sid, expiresAtMs] = await run('ticket-redeem', [keys.ticket(hash)], []);
      return username === undefined || sid === undefined
        ? undefined
        : { username, sid, expiresAtMs: Number(expiresAtMs) };
    },
  };
}
