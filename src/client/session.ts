/**
 * The session: its tokens, in memory and where the caller keeps them, and when they are renewed.
 *
 * A refresh token serves once; used again it ends the session, unless it comes with the nonce of its first use within
 * 30 s. So within a client there is one refresh at a time, whoever waits for it; and clients that share a storage (the
 * tabs of a browser) take turns: under a lock each looks first whether another was faster, and only then presents the
 * newest token that is stored. The lock is `navigator.locks` where there is one (browsers give it to https and localhost
 * only). The nonce is stored before the request leaves, so that a reload or a restart repeats it, and so does another
 * tab that presents the same token without a lock.
 */
import type { components } from '../contract.d.ts';
import type { Clock } from './clock.ts';
import type { Problem, Result } from './problem.ts';

type Login = components['schemas']['Login'];

/**
 * Can be written to a file or a database, whole or in part, and given to `restore` later. Whoever has it is that user.
 * What may be left out is had again by a refresh.
 */
export type Session = {
  /** Made at login, kept over refreshes. The server does not know it. */
  id: string;
  username: string;
  refreshToken: string;
  accessToken?: string;
  /** Epoch milliseconds, by the clock of this machine. */
  expiresAtMs?: number;
  refreshAtMs?: number;
  /** There while a refresh was sent and not answered: what proves that a repeat is one. */
  refreshNonce?: string;
};

type Maybe<T> = T | Promise<T>;
export type SessionStorage = {
  get(): Maybe<Session | undefined>;
  set(session: Session): Maybe<void>;
  clear(): Maybe<void>;
};

/** `logout`: by this client. `ended`: the server says so. `elsewhere`: the storage holds another user's, or none. */
export type EndReason = 'logout' | 'ended' | 'elsewhere';
export type SessionChange =
  | { kind: 'started' | 'refreshed'; session: Session }
  | { kind: 'ended'; reason: EndReason };

export type Lock = <T>(name: string, task: () => Promise<T>) => Promise<T>;

export type Sessions = ReturnType<typeof createSessions>;

/** Refreshed when a fifth of its life is left, at most this long before its end. */
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
  let life = new AbortController();
  let loading: Promise<void> | undefined;
  let refreshing: Promise<Problem | undefined> | undefined;

  const locked = <T>(task: () => Promise<T>): Promise<T> => (storage ? lock(lockName, task) : task());
  const load = (): Promise<void> => {
    loading ??= (async () => {
      const stored = await storage?.get();
      if (stored && !current) adopt('started', stored);
    })();
    return loading;
  };

  function adopt(kind: 'started' | 'refreshed', session: Session): void {
    if (kind === 'started') {
      life.abort();
      life = new AbortController();
    }
    current = session;
    onChange({ kind, session });
  }

  async function begin(session: Session): Promise<void> {
    loading = Promise.resolve();
    adopt('started', session);
    await locked(async () => storage?.set(session));
  }

  function toSession(id: string, login: Login, askedAtMs: number): Session {
    const lifeMs = login.expiresIn * 1_000;
    const earlyMs = Math.min(lifeMs / 5, EARLY_MS) * (0.5 + clock.random() / 2);
    return {
      id,
      username: login.account.username,
      refreshToken: login.refreshToken,
      accessToken: login.accessToken,
      expiresAtMs: askedAtMs + lifeMs,
      refreshAtMs: askedAtMs + lifeMs - earlyMs,
    };
  }

  function forget(reason: EndReason): void {
    if (!current) return;
    current = undefined;
    life.abort();
    onChange({ kind: 'ended', reason });
  }

  /** Only what is ours: another tab may have logged in anew. */
  async function clearStored(id: string): Promise<void> {
    if ((await storage?.get())?.id === id) await storage?.clear();
  }

  const isFresh = (session: Session, stale: string | undefined): boolean =>
    session.accessToken !== undefined &&
    session.accessToken !== stale &&
    (session.refreshAtMs ?? 0) > clock.now();

  /** Stored before it is sent. Read again: without a lock another tab may be doing the same. */
  async function storeNonce(session: Session, nonce: string): Promise<string> {
    await storage?.set({ ...session, refreshNonce: nonce });
    const kept = await storage?.get();
    return (kept?.refreshToken === session.refreshToken && kept.refreshNonce) || nonce;
  }

  async function refresh(stale: string | undefined): Promise<Problem | undefined> {
    let mine = current;
    if (!mine) return LOGGED_OUT;
    const stored = storage ? await storage.get() : mine;
    if (current !== mine) return undefined; // logged in or out meanwhile
    if (!stored || stored.username !== mine.username) {
      forget('elsewhere');
      return LOGGED_OUT;
    }
    if (isFresh(stored, stale)) {
      adopt('refreshed', stored);
      return undefined;
    }
    const { refreshToken } = stored;
    const known = stored.refreshNonce ?? (mine.refreshToken === refreshToken ? mine.refreshNonce : undefined);
    mine = current = { ...mine, refreshToken, refreshNonce: known ?? randomId() };
    const nonce = stored.refreshNonce ?? (await storeNonce(stored, mine.refreshNonce!));
    if (current !== mine) return undefined;
    const askedAtMs = clock.now();
    const { data, problem } = await exchange(refreshToken, nonce);
    if (current !== mine) return undefined;
    if (problem) {
      if (problem.code === 'bad_refresh_token') {
        await clearStored(stored.id);
        forget('ended');
      }
      return problem;
    }
    const next = toSession(stored.id, data, askedAtMs);
    current = next;
    await storage?.set(next);
    onChange({ kind: 'refreshed', session: next });
    return undefined;
  }

  return {
    current: (): Session | undefined => current,
    /** Aborts when the session is over. */
    signal: (): AbortSignal => life.signal,
    load,

    /** After a login. */
    begin: (login: Login, askedAtMs: number): Promise<void> => begin(toSession(randomId(), login, askedAtMs)),

    /** A session that was kept somewhere else; without one, that of the storage. */
    async restore(session: Session | undefined): Promise<Session | undefined> {
      if (session) await begin(session);
      else await load();
      return current;
    },

    async end(reason: EndReason): Promise<void> {
      const id = current?.id;
      forget(reason);
      if (id !== undefined) await locked(() => clearStored(id));
    },

    /** An access token that lives a while yet. `stale`: one that the server has refused. */
    async token(stale?: string): Promise<Result<string>> {
      await load();
      if (!current) return { problem: LOGGED_OUT };
      if (!isFresh(current, stale)) {
        refreshing ??= locked(() => refresh(stale)).finally(() => {
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

/** Not crypto.randomUUID: browsers give it to https and localhost only. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

type WebLocks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };

/** The lock that the tabs of a browser share, where it is given to this page. */
export const tabLock: Lock = (name, task) => {
  // Not in the types of every runtime.
  const { locks } = (globalThis as { navigator?: { locks?: WebLocks } }).navigator ?? {};
  return locks ? locks.request(name, task) : task();
};
