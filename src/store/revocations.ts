/**
 * The sessions that ended while one of their access tokens may still be valid. Every node has a copy of the list, so a
 * request needs no lookup. The copy is updated by publish; every few seconds its change count is compared with Redis,
 * and the list is read again if they differ.
 */
import type { Store } from './redis/client.ts';

/** Maximum number of expired entries that one sync deletes. */
const MAX_DELETIONS = 1_000;

/** `onRevoked` is called once per session that ended, on this node or another. */
export function createRevocations({ keys, commands, attempt, now }: Store, onRevoked: (sid: string) => void) {
  /** sid → epoch ms at which its last access token expires. */
  const revoked = new Map<string, number>();
  let changes = 0;

  function revoke(sid: string, tokensExpireAt: number): void {
    if (revoked.has(sid)) return;
    revoked.set(sid, tokensExpireAt);
    onRevoked(sid);
  }

  async function deleteExpired(): Promise<void> {
    const expired: string[] = [];
    for (const [sid, tokensExpireAt] of revoked)
      if (tokensExpireAt < now() && expired.length < MAX_DELETIONS) expired.push(sid);
    if (expired.length === 0) return;
    await attempt(commands.hdel(keys.revoked, ...expired));
    for (const sid of expired) revoked.delete(sid);
  }

  return {
    /** Add a session that this node has ended. */
    revoke,

    isRevoked: (sid: string): boolean => revoked.has(sid),

    /** Handle a message of the `revoked` channel: `sid tokensExpireAt`. */
    receiveRevocation(payload: string): void {
      const [sid = '', tokensExpireAt = '0'] = payload.split(' ');
      changes += 1;
      revoke(sid, Number(tokensExpireAt));
    },

    /** Complete the copy, and delete expired entries from it and from Redis. Called on every heartbeat and reconnect. */
    async sync(): Promise<void> {
      const current = Number((await attempt(commands.hget(keys.revoked, '#'))) ?? 0);
      if (current !== changes) {
        const { '#': count, ...all } = await attempt(commands.hgetall(keys.revoked));
        for (const [sid, tokensExpireAt] of Object.entries(all)) revoke(sid, Number(tokensExpireAt));
        changes = Number(count ?? 0);
      }
      await deleteExpired();
    },
  };
}
