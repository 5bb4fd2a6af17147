/**
 * The sessions that ended while one of their access tokens may still be valid. Every node has a copy of the list, so a
 * request needs no lookup. The copy is updated by publish; every few seconds its change count is compared with Redis,
 * and the list is read again if they differ.
 */
import type { Store } from './redis/client.ts';

/** Maximum number of expired entries that one sync deletes. */
const MAX_DELETIONS = 1_000;
/** Entries per HSCAN. */
const PART = 1_000;

/** `onRevoked` is called once per session that ended, on this node or another. */
export function createRevocations(store: Store, onRevoked: (sid: string) => void) {
  const { keys, commands, run, attempt, now } = store;
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
    /** Add a session, on every node. May be repeated. `tokensExpireAt`: epoch ms. */
    async add(sid: string, tokensExpireAt: number): Promise<void> {
      await run('session-revoke', [keys.revoked], [keys.channels.revoked, sid, tokensExpireAt]);
      revoke(sid, tokensExpireAt);
    },

    isRevoked: (sid: string): boolean => revoked.has(sid),

    /** Handle a message of the `revoked` channel: `sid tokensExpireAt`. */
    receiveRevocation(payload: string): void {
      const [sid = '', tokensExpireAt = '0'] = payload.split(' ');
      changes += 1;
      revoke(sid, Number(tokensExpireAt));
    },

    /** Complete the copy, and delete expired entries from it and from Redis. */
    async sync(): Promise<void> {
      const current = Number((await attempt(commands.hget(keys.revoked, '#'))) ?? 0);
      if (current !== changes) {
        const before = changes;
        await readRevoked(store, revoke);
        changes = current + changes - before; // and those received meanwhile
      }
      await deleteExpired();
    },
  };
}

/** Read the list in parts: it may be long. */
async function readRevoked(
  { keys, commands, attempt }: Store,
  onEntry: (sid: string, tokensExpireAt: number) => void,
): Promise<void> {
  let cursor = '0';
  do {
    const [next, flat] = await attempt(commands.hscan(keys.revoked, cursor, 'COUNT', PART));
    for (let i = 0; i < flat.length; i += 2) if (flat[i] !== '#') onEntry(flat[i]!, Number(flat[i + 1]));
    cursor = next;
  } while (cursor !== '0');
}
