/** A session as plain data: what it consists of, where it is stored, and how it changes. */
import type { Clock } from './clock.ts';
import type { components } from './contract.d.ts';
import type { MaybePromise } from './devices.ts';
import type { Problem } from './problem.ts';

export type Login = components['schemas']['Login'];

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

/** An access token is refreshed in the last fifth of its lifetime, but at most this long before it expires. */
const EARLY_MS = 300_000;

export const LOGGED_OUT: Problem = { code: 'logged_out', detail: 'Log in first.' };

/** Builds a session from the response to a login or a refresh. */
export function sessionFrom(id: string, login: Login, requestedAtMs: number, clock: Clock): Session {
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

/** Whether the access token can be used without a refresh. `stale`: a token that the server has rejected. */
export const isFresh = (
  session: Session,
  stale: string | undefined,
  clock: Clock,
): session is Session & { accessToken: string } =>
  session.accessToken !== undefined &&
  session.accessToken !== stale &&
  (session.refreshAtMs ?? 0) > clock.now();

/** Removes the session with this id, but leaves another one alone: another tab may have logged in since. */
export async function clearStored(storage: SessionStorage | undefined, id: string): Promise<void> {
  if ((await storage?.get())?.id === id) await storage?.clear();
}
