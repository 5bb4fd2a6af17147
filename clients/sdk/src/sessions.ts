/** Starts, restores and ends sessions, in memory and in the caller's storage, and provides access tokens for calls. */
import { createCurrentSession } from './current-session.ts';
import type { Lock } from './lock.ts';
import type { Result } from './problem.ts';
import { randomId } from './random-id.ts';
import { createRefresh, type RefreshOptions } from './refresh.ts';
import {
  clearStored,
  type EndReason,
  isFresh,
  LOGGED_OUT,
  type Login,
  type Session,
  type SessionChange,
  sessionFrom,
} from './session.ts';

export type Sessions = ReturnType<typeof createSessions>;
type SessionsOptions = RefreshOptions & {
  lock: Lock;
  lockName: string;
  onChange: (change: SessionChange) => void;
};

export function createSessions(options: SessionsOptions) {
  const { storage, lock, lockName, clock, onChange } = options;
  const current = createCurrentSession(onChange);
  let loading: Promise<void> | undefined;

  const withLock = <T>(task: () => Promise<T>): Promise<T> => (storage ? lock(lockName, task) : task());
  const refresh = createRefresh(current, options, withLock);

  async function loadStored(): Promise<void> {
    const stored = await storage?.get();
    if (stored && !current.get()) current.start(stored);
  }
  function load(): Promise<void> {
    loading ??= loadStored();
    return loading;
  }

  async function start(session: Session): Promise<void> {
    loading = Promise.resolve();
    current.start(session);
    await withLock(async () => storage?.set(session));
  }

  return {
    current: current.get,
    /** Aborts when the session ends. */
    signal: current.signal,
    load,

    /** Starts a session after a login. */
    begin: (login: Login, requestedAtMs: number): Promise<void> =>
      start(sessionFrom(randomId(), login, requestedAtMs, clock)),

    /** Starts the given session, or without an argument the stored one. */
    async restore(session: Session | undefined): Promise<Session | undefined> {
      if (session) await start(session);
      else await load();
      return current.get();
    },

    async end(reason: EndReason): Promise<void> {
      const id = current.get()?.id;
      current.end(reason);
      if (id !== undefined) await withLock(() => clearStored(storage, id));
    },

    /** Returns an access token that is not about to expire. `stale`: a token that the server has rejected. */
    async token(stale?: string): Promise<Result<string>> {
      await load();
      const session = current.get();
      if (!session) return { problem: LOGGED_OUT };
      if (isFresh(session, stale, clock)) return { data: session.accessToken };
      const problem = await refresh(stale);
      const { accessToken, expiresAtMs = 0 } = current.get() ?? {};
      const isUsable = accessToken !== undefined && accessToken !== stale && expiresAtMs > clock.now();
      return isUsable ? { data: accessToken } : { problem: problem ?? LOGGED_OUT };
    },
  };
}
