/**
 * Sessions, one hash each, and the set of an account's sessions. A session ends in steps: its refresh token stops working,
 * then every node rejects its access tokens, then its keys are deleted. Each step may be repeated, and until the last one
 * the session is known to be ending: to its account's next login, to a refresh, and to a logout.
 */
import type { Store } from './redis/client.ts';
import { createRevocations } from './revocations.ts';

/** How long a refresh may be repeated: three attempts of `@parley-chat/client`, each waiting 10 s. */
const REPEAT_GRACE_MS = 30_000;
/** Sessions whose end this node completes when Redis is back. */
const MAX_UNFINISHED = 10_000;

export type SessionStore = ReturnType<typeof createSessionStore>;

export type SessionStoreOptions = {
  accessTtlMs: number;
  refreshTtlMs: number;
  /** Called once per session that ended, on this node or another. */
  onRevoked: (sid: string) => void;
};

type NewSession = { username: string; sid: string; refreshHash: string; device: string; max: number };
type PresentedToken = {
  username: string;
  sid: string;
  presentedHash: string;
  nextHash: string;
  /** Empty if the client sent none. */
  nonceHash: string;
};

export function createSessionStore(store: Store, options: SessionStoreOptions) {
  const { keys, run, now } = store;
  const { accessTtlMs, refreshTtlMs, onRevoked } = options;
  const revocations = createRevocations(store, onRevoked);
  const { end, complete, completeUnfinished } = createEnding(store, accessTtlMs, revocations.add);

  return {
    isRevoked: revocations.isRevoked,
    receiveRevocation: revocations.receiveRevocation,

    /** Bring this node and Redis in line. Called on every heartbeat and reconnect. */
    async sync(): Promise<void> {
      await revocations.sync();
      await completeUnfinished();
    },

    /**
     * Also records `lastSeenAt` (RFC 3339). Returns the sessions of the account that exceed the limit, which the caller
     * ends; undefined if there is no such account.
     */
    async open(session: NewSession, lastSeenAt: string): Promise<string[] | undefined> {
      const { username, sid, refreshHash, device, max } = session;
      const fields = ['refreshHash', refreshHash, 'device', device];
      const times = ['createdAt', lastSeenAt, 'lastUsedAt', lastSeenAt];
      const [outcome, ...excess] = await run(
        'session-open',
        [keys.session(username, sid), keys.sessions(username), keys.account(username)],
        [sid, refreshTtlMs, max, now(), lastSeenAt, ...fields, ...times],
      );
      return outcome === 'opened' ? excess : undefined;
    },

    /** Returns whether the token was exchanged. If it was used twice, the session ends. */
    async refresh(session: PresentedToken): Promise<boolean> {
      const { username, sid, presentedHash, nextHash, nonceHash } = session;
      const [outcome, endedUntil] = await run(
        'session-refresh',
        [keys.session(username, sid), keys.sessions(username)],
        [
          ...[presentedHash, nextHash, new Date(now()).toISOString(), refreshTtlMs, sid],
          ...[now() + accessTtlMs, accessTtlMs, REPEAT_GRACE_MS, nonceHash],
        ],
      );
      if (outcome === 'ended') await complete(username, sid, Number(endedUntil));
      return outcome === 'refreshed';
    },

    end,
  };
}

/**
 * If a step fails, the request fails, and a repeat completes it. Once the first step is done, this node also completes the
 * others itself when Redis is back.
 */
function createEnding(
  { keys, run, now }: Store,
  accessTtlMs: number,
  revoke: (sid: string, tokensExpireAt: number) => Promise<void>,
) {
  /** Sessions that have taken the first step, by sid. */
  const unfinished = new Map<string, { username: string; endedUntil: number }>();

  /** The steps after the first one. `endedUntil`: when its last access token expires (epoch ms). */
  async function complete(username: string, sid: string, endedUntil: number): Promise<void> {
    if (unfinished.size < MAX_UNFINISHED) unfinished.set(sid, { username, endedUntil });
    await revoke(sid, endedUntil);
    await run('session-forget', [keys.session(username, sid), keys.sessions(username)], [sid]);
    unfinished.delete(sid);
  }

  return {
    complete,

    async end(username: string, sid: string): Promise<void> {
      const session = keys.session(username, sid);
      const endedUntil = await run('session-end', [session], [now() + accessTtlMs, accessTtlMs]);
      await complete(username, sid, Number(endedUntil));
    },

    async completeUnfinished(): Promise<void> {
      for (const [sid, { username, endedUntil }] of unfinished) await complete(username, sid, endedUntil);
    },
  };
}
