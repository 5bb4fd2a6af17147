/** Sessions, one hash each, and the set of an account's sessions. A session that ends is revoked on every node. */
import type { Store } from './redis/client.ts';
import { createRevocations } from './revocations.ts';

/** How long a refresh may be repeated: three attempts of `@parley-chat/client`, each waiting 10 s. */
const REPEAT_GRACE_MS = 30_000;

export type SessionStore = ReturnType<typeof createSessionStore>;

export type SessionStoreOptions = {
  accessTtlMs: number;
  refreshTtlMs: number;
  /** Called once per session that ended, on this node or another. */
  onRevoked: (sid: string) => void;
};

export function createSessionStore(store: Store, options: SessionStoreOptions) {
  const { keys, run, now } = store;
  const { accessTtlMs, refreshTtlMs, onRevoked } = options;
  const { revoke, ...revocations } = createRevocations(store, onRevoked);

  return {
    ...revocations,

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
      const tokensExpireAt = now() + accessTtlMs;
      const outcome = await run(
        'session-refresh',
        [keys.session(username, sid), keys.revoked, keys.sessions(username)],
        [
          ...[presentedHash, nextHash, new Date(now()).toISOString(), refreshTtlMs],
          ...[keys.channels.revoked, sid, tokensExpireAt],
          ...[REPEAT_GRACE_MS, nonceHash],
        ],
      );
      if (outcome === 'reused') revoke(sid, tokensExpireAt);
      return outcome;
    },

    async end(username: string, sid: string): Promise<void> {
      const tokensExpireAt = now() + accessTtlMs;
      const args = [keys.channels.revoked, sid, tokensExpireAt];
      await run('session-end', [keys.session(username, sid), keys.revoked, keys.sessions(username)], args);
      revoke(sid, tokensExpireAt);
    },
  };
}
