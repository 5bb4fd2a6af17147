/**
 * Sessions, and the list of sessions that ended while one of their access tokens may still be valid. Every node keeps a
 * copy of that list, so a request needs no lookup. The copy is updated by publish; every few seconds its change count
 * is compared with Redis, and the list is read again if they differ.
 */
import type { Store } from './redis/client.ts';

/** How long a refresh may be repeated: three attempts of `@parley-chat/client`, each waiting 10 s. */
const REPEAT_GRACE_MS = 30_000;

export type SessionStore = ReturnType<typeof createSessionStore>;

export function createSessionStore(
  store: Store,
  options: {
    accessTtlMs: number;
    refreshTtlMs: number;
    /** Called once per session that ended, on this node or another. */
    onRevoked: (sid: string) => void;
  },
) {
  const { keys, commands, run, attempt, now } = store;
  const { accessTtlMs, refreshTtlMs, onRevoked } = options;
  /** sid → epoch ms at which its last access token expires. */
  const revoked = new Map<string, number>();
  let changes = 0;

  function learn(sid: string, deadAt: number): void {
    if (revoked.has(sid)) return;
    revoked.set(sid, deadAt);
    onRevoked(sid);
  }

  return {
    /** Returns the sessions of the account that exceed the limit; the caller ends them. */
    async open(session: {
      username: string;
      sid: string;
      refreshHash: string;
      device: string;
      max: number;
    }): Promise<string[]> {
      const { username, sid, refreshHash, device, max } = session;
      const at = new Date(now()).toISOString();
      const fields = ['refreshHash', refreshHash, 'device', device, 'createdAt', at, 'lastUsedAt', at];
      return run(
        'session-open',
        [keys.session(username, sid), keys.sessions(username)],
        [sid, refreshTtlMs, max, ...fields],
      );
    },

    async refresh(session: {
      username: string;
      sid: string;
      presentedHash: string;
      nextHash: string;
      /** Empty if the client sent none. */
      nonceHash: string;
    }) {
      const { username, sid, presentedHash, nextHash, nonceHash } = session;
      const deadAt = now() + accessTtlMs;
      const outcome = await run(
        'session-refresh',
        [keys.session(username, sid), keys.revoked, keys.sessions(username)],
        [
          ...[presentedHash, nextHash, new Date(now()).toISOString(), refreshTtlMs],
          ...[keys.channels.revoked, sid, deadAt],
          ...[REPEAT_GRACE_MS, nonceHash],
        ],
      );
      if (outcome === 'reused') learn(sid, deadAt);
      return outcome;
    },

    async end(username: string, sid: string): Promise<void> {
      const deadAt = now() + accessTtlMs;
      const args = [keys.channels.revoked, sid, deadAt];
      await run('session-end', [keys.session(username, sid), keys.revoked, keys.sessions(username)], args);
      learn(sid, deadAt);
    },

    isRevoked: (sid: string): boolean => revoked.has(sid),

    /** Handle a message of the `revoked` channel: `sid deadAt`. */
    receiveRevocation(payload: string): void {
      const [sid = '', deadAt = '0'] = payload.split(' ');
      changes += 1;
      learn(sid, Number(deadAt));
    },

    /**
     * Complete the copy, and delete expired entries from it and from Redis. Called on every heartbeat and reconnect.
     */
    async sync(): Promise<void> {
      const current = Number((await attempt(commands.hget(keys.revoked, '#'))) ?? 0);
      if (current !== changes) {
        const { '#': count, ...all } = await attempt(commands.hgetall(keys.revoked));
        for (const [sid, deadAt] of Object.entries(all)) learn(sid, Number(deadAt));
        changes = Number(count ?? 0);
      }
      const expired = [];
      for (const [sid, deadAt] of revoked) if (deadAt < now() && expired.length < 1_000) expired.push(sid);
      if (expired.length === 0) return;
      await attempt(commands.hdel(keys.revoked, ...expired));
      for (const sid of expired) revoked.delete(sid);
    },
  };
}
