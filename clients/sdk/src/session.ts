/**
 * The session: its tokens in memory and in the caller's storage, and their renewal.
 *
 * A refresh token is valid once. Using it again ends the session, unless the request repeats the nonce of the first use
 * within 30 s. A client therefore runs one refresh at a time and shares its result between all callers. Clients that
 * share a storage (the tabs of a browser) take a lock, check whether another client has already refreshed, and only then
 * use the newest stored token. The lock is `navigator.locks` if available (browsers provide it on https and localhost
 * only). The nonce is stored before the request is sent, so that a reload, a restart or a tab without the lock repeats
 * the same nonce.
 */

import type { Clock } from './clock.ts';
import type { components } from './contract.d.ts';
import type { MaybePromise } from './devices.ts';
import type { Problem, Result } from './problem.ts';

type Login = components['schemas']['Login'];

/**
 * A session as plain data: store it as JSON and pass it to `restore` later. Anyone who has it can act as the user. The
 * optional fields may be omitted; a refresh restores them.
 */
export type Session = {
  /** Created at login and unchanged by refreshes. Local: the server does not know it. */
  id: string;
  username: string;
  refreshToken: string;
  accessToken?: string;
  /** When the access token expires, in milliseconds since the epoch by the local clock. */
  expiresAtMs?: number;
  /** From when on it is refreshed before use; same unit. */
  refreshAtMs?: number;
  /** Set while a refresh is unanswered; lets the server recognize a repeated request. */
  refreshNonce?: string;
};

/** Where the session is stored. The methods may be synchronous or return promises. */
export type SessionStorage = {
  /** The stored session, or undefined. */
  get(): MaybePromise<Session | undefined>;
  /** Replaces the stored session. */
  set(session: Session): MaybePromise<void>;
  /** Removes the stored session. */
  clear(): MaybePromise<void>;
};

/**
 * Why a session has ended.
 *  - `logout`: this client logged out.
 *  - `ended`: the server ended or rejected it.
 *  - `elsewhere`: the shared storage now holds another user's session, or none.
 */
export type EndReason = 'logout' | 'ended' | 'elsewhere';
export type SessionChange =
  | { kind: 'started' | 'refreshed'; session: Session }
  | { kind: 'ended'; reason: EndReason };

/** Runs `task` while no other client holds the lock called `name`. */
export type Lock = <T>(name: string, task: () => Promise<T>) => Promise<T>;

export type Sessions = ReturnType<typeof createSessions>;

/** An access token is refreshed in the last fifth of its lifetime, but at most this long before it expires. */
const EARLY_MS = 300_000;

export function createSessions(options: {
  exchange: (refreshToken: string, nonce: string) => Promise<Result<Login>>;
  storage: SessionStorage | undefined;
  lock: Lock;
  lockName: string;
  clock: Clock;
  onChange: (change: SessionChange) => void;
}) {
  const { exchange, storage, lock, lockName, clock, onChange } = options;
  let current: Session | undefined;
  let lifetime = new AbortController();
  let loading: Promise<void> | undefined;
  let refreshing: Promise<Problem | undefined> | undefined;

  const withLock = <T>(task: () => Promise<T>): Promise<T> => (storage ? lock(lockName, task) : task());
  const load = (): Promise<void> => {
    loading ??= (async () => {
      const stored = await storage?.get();
      if (stored && !current) adopt('started', stored);
    })();
    return loading;
  };

  function adopt(kind: 'started' | 'refreshed', session: Session): void {
    if (kind === 'started') {
      lifetime.abort();
      lifetime = new AbortController();
    }
    current = session;
    onChange({ kind, session });
  }

  async function begin(session: Session): Promise<void> {
    loading = Promise.resolve();
    adopt('started', session);
    await withLock(async () => storage?.set(session));
  }

  function toSession(id: string, login: Login, requestedAtMs: number): Session {
    const lifeMs = login.expiresIn * 1_000;
    const earlyMs = Math.min(lifeMs / 5, EARLY_MS) * (0.5 + clock.random() / 2);
    return {
      id,
      username: login.account.username,
      refreshToken: login.refreshToken,
      accessToken: login.accessToken,
      expiresAtMs: requestedAtMs + lifeMs,
      refreshAtMs: requestedAtMs + lifeMs - earlyMs,
    };
  }

  function discard(reason: EndReason): void {
    if (!current) return;
    current = undefined;
    lifetime.abort();
    onChange({ kind: 'ended', reason });
  }

  /** Leaves another session alone: another tab may have logged in since. */
  async function clearStored(id: string): Promise<void> {
    if ((await storage?.get())?.id === id) await storage?.clear();
  }

  const isFresh = (session: Session, stale: string | undefined): boolean =>
    session.accessToken !== undefined &&
    session.accessToken !== stale &&
    (session.refreshAtMs ?? 0) > clock.now();

  /** Reads the nonce back after writing it: without a lock another tab may have stored one at the same time. */
  async function storeNonce(session: Session, nonce: string): Promise<string> {
    await storage?.set({ ...session, refreshNonce: nonce });
    const saved = await storage?.get();
    return (saved?.refreshToken === session.refreshToken && saved.refreshNonce) || nonce;
  }

  async function refresh(stale: string | undefined): Promise<Problem | undefined> {
    let own = current;
    if (!own) return LOGGED_OUT;
    const stored = storage ? await storage.get() : own;
    if (current !== own) return undefined; // logged in or out meanwhile
    if (!stored || stored.username !== own.username) {
      discard('elsewhere');
      return LOGGED_OUT;
    }
    if (isFresh(stored, stale)) {
      adopt('refreshed', stored);
      return undefined;
    }
    const { refreshToken } = stored;
    const knownNonce =
      stored.refreshNonce ?? (own.refreshToken === refreshToken ? own.refreshNonce : undefined);
    own = current = { ...own, refreshToken, refreshNonce: knownNonce ?? randomId() };
    const nonce = stored.refreshNonce ?? (await storeNonce(stored, own.refreshNonce!));
    if (current !== own) return undefined;
    const requestedAtMs = clock.now();
    const { data, problem } = await exchange(refreshToken, nonce);
    if (current !== own) return undefined;
    if (problem) {
      if (problem.code === 'bad_refresh_token') {
        await clearStored(stored.id);
        discard('ended');
      }
      return problem;
    }
    const next = toSession(stored.id, data, requestedAtMs);
    current = next;
    await storage?.set(next);
    onChange({ kind: 'refreshed', session: next });
    return undefined;
  }

  return {
    current: (): Session | undefined => current,
    /** Aborts when the session ends. */
    signal: (): AbortSignal => lifetime.signal,
    load,

    /** Starts a session after a login. */
    begin: (login: Login, requestedAtMs: number): Promise<void> =>
      begin(toSession(randomId(), login, requestedAtMs)),

    /** Starts the given session, or without an argument the stored one. */
    async restore(session: Session | undefined): Promise<Session | undefined> {
      if (session) await begin(session);
      else await load();
      return current;
    },

    async end(reason: EndReason): Promise<void> {
      const id = current?.id;
      discard(reason);
      if (id !== undefined) await withLock(() => clearStored(id));
    },

    /** Returns an access token that is not about to expire. `stale`: a token that the server has rejected. */
    async token(stale?: string): Promise<Result<string>> {
      await load();
      if (!current) return { problem: LOGGED_OUT };
      if (!isFresh(current, stale)) {
        refreshing ??= withLock(() => refresh(stale)).finally(() => {
          refreshing = undefined;
        });
        const problem = await refreshing;
        const { accessToken, expiresAtMs = 0 } = current ?? {};
        const isUsable = accessToken !== undefined && accessToken !== stale && expiresAtMs > clock.now();
        if (!isUsable) return { problem: problem ?? LOGGED_OUT };
      }
      return current?.accessToken === undefined ? { problem: LOGGED_OUT } : { data: current.accessToken };
    },
  };
}

const LOGGED_OUT: Problem = { code: 'logged_out', detail: 'Log in first.' };

/** `crypto.randomUUID` will not do: browsers provide it on https and localhost only. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

type WebLocks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };

/** The lock shared by the tabs of a browser. Without one the task runs unlocked. */
export const tabLock: Lock = (name, task) => {
  // Not every runtime's types include it.
  const { locks } = (globalThis as { navigator?: { locks?: WebLocks } }).navigator ?? {};
  return locks ? locks.request(name, task) : task();
};
