/**
 * Renews the tokens of the current session.
 *
 * A refresh token is valid once. Using it again ends the session, unless the request repeats the nonce of the first use
 * within 30 s. A client therefore runs one refresh at a time and shares its result between all callers. Clients that
 * share a storage (the tabs of a browser) take a lock, check whether another client has already refreshed, and only then
 * use the newest stored token. The lock is `navigator.locks` if available (browsers provide it on https and localhost
 * only). The nonce is stored before the request is sent, so that a reload, a restart or a tab without the lock repeats
 * the same nonce.
 */
import type { Clock } from './clock.ts';
import type { CurrentSession } from './current-session.ts';
import type { Problem, Result } from './problem.ts';
import { randomId } from './random-id.ts';
import {
  clearStored,
  isFresh,
  LOGGED_OUT,
  type Login,
  type Session,
  type SessionStorage,
  sessionFrom,
} from './session.ts';

export type RefreshOptions = {
  /** Sends the refresh request. */
  exchange: (refreshToken: string, nonce: string) => Promise<Result<Login>>;
  storage: SessionStorage | undefined;
  clock: Clock;
};

/**
 * Returns the function that refreshes; simultaneous callers share one refresh and its result. It resolves to the problem
 * that prevents the refresh. `stale`: a token that the server has rejected.
 */
export function createRefresh(
  current: CurrentSession,
  options: RefreshOptions,
  withLock: <T>(task: () => Promise<T>) => Promise<T>,
): (stale: string | undefined) => Promise<Problem | undefined> {
  let running: Promise<Problem | undefined> | undefined;
  return (stale) => {
    running ??= withLock(() => refresh(current, options, stale)).finally(() => {
      running = undefined;
    });
    return running;
  };
}

async function refresh(
  current: CurrentSession,
  { exchange, storage, clock }: RefreshOptions,
  stale: string | undefined,
): Promise<Problem | undefined> {
  const own = current.get();
  if (!own) return LOGGED_OUT;
  const stored = storage ? await storage.get() : own;
  if (current.get() !== own) return undefined; // logged in or out meanwhile
  if (!stored || stored.username !== own.username) {
    current.end('elsewhere');
    return LOGGED_OUT;
  }
  if (isFresh(stored, stale, clock)) {
    current.update(stored);
    current.reportRefreshed(stored);
    return undefined;
  }
  const refreshNonce = knownNonce(own, stored) ?? randomId();
  const pending = { ...own, refreshToken: stored.refreshToken, refreshNonce };
  current.update(pending);
  const nonce = stored.refreshNonce ?? (await storeNonce(storage, stored, refreshNonce));
  if (current.get() !== pending) return undefined;
  const requestedAtMs = clock.now();
  const { data, problem } = await exchange(stored.refreshToken, nonce);
  if (current.get() !== pending) return undefined;
  if (problem) {
    if (problem.code === 'bad_refresh_token') {
      await clearStored(storage, stored.id);
      current.end('ended');
    }
    return problem;
  }
  const next = sessionFrom(stored.id, data, requestedAtMs, clock);
  current.update(next);
  await storage?.set(next);
  if (current.get() === next) current.reportRefreshed(next);
  else if (!current.get()) await clearStored(storage, next.id); // logged out while it was being stored
  return undefined;
}

/** The nonce of an unanswered request with this refresh token. The storage may have lost it. */
const knownNonce = (own: Session, stored: Session): string | undefined =>
  stored.refreshNonce ?? (own.refreshToken === stored.refreshToken ? own.refreshNonce : undefined);

/** Reads the nonce back after writing it: without a lock another tab may have stored one at the same time. */
async function storeNonce(
  storage: SessionStorage | undefined,
  session: Session,
  nonce: string,
): Promise<string> {
  await storage?.set({ ...session, refreshNonce: nonce });
  const saved = await storage?.get();
  return (saved?.refreshToken === session.refreshToken && saved.refreshNonce) || nonce;
}
