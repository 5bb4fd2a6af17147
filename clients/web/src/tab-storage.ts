/**
 * What this tab keeps over a reload, in sessionStorage: its session without the access token, and for its account what
 * is not told to the server yet: messages that are not sent, drafts, and which messages were seen. And what this browser keeps
 * in localStorage: its device token for each of the last accounts, which lets nobody in (docs/decisions/021-…).
 * Why there, and what follows from it: docs/decisions/011-one-session-per-tab.md
 *
 * Where a browser refuses its storage all works but the reload.
 */
import type { DeviceStorage, Session, SessionStorage } from '@parley-chat/client';
import type { Outgoing } from './conversation.ts';

/** Several Parleys may share an origin, each under a path. */
const PLACE = new URL('.', document.baseURI).pathname.slice(1);
const SESSION_KEY = `parley.session${PLACE}`;
const UNFINISHED_KEY = `parley.unfinished${PLACE}`;
const DEVICES_KEY = `parley.devices${PLACE}`;
/** Of how many accounts this browser keeps its token. */
const DEVICES = 8;
/** A copied tab waits so long for the session's first tab to be gone, as after a reload. */
const CLAIM_MS = 1_000;

function read(key: string, where: () => Storage = () => sessionStorage): unknown {
  try {
    return JSON.parse(where().getItem(key) ?? 'null');
  } catch {
    return undefined;
  }
}

function keep(key: string, value: unknown): void {
  try {
    if (value === undefined) sessionStorage.removeItem(key);
    else sessionStorage.setItem(key, JSON.stringify(value));
  } catch {}
}

export function createTabStorage() {
  let newest: Session | undefined;
  return {
    get(): Session | undefined {
      newest ??= (read(SESSION_KEY) as Session | null) ?? undefined; // nobody else writes there
      return newest;
    },
    set(session: Session): void {
      newest = session;
      const { id, username, refreshToken, refreshNonce } = session;
      keep(SESSION_KEY, { id, username, refreshToken, refreshNonce });
    },
    clear(): void {
      newest = undefined;
      keep(SESSION_KEY, undefined);
    },
  } satisfies SessionStorage;
}

/** Newest last. Another tab may log in at the same time: then one of the two tokens is not kept. */
export const browserDevices: DeviceStorage = {
  get: (username) => readDevices().find(([name]) => name === username)?.[1],
  set(username, deviceToken) {
    const others = readDevices().filter(([name]) => name !== username);
    const kept = [...others, [username, deviceToken]].slice(-DEVICES);
    try {
      localStorage.setItem(DEVICES_KEY, JSON.stringify(kept));
    } catch {}
  },
};

function readDevices(): [username: string, deviceToken: string][] {
  const kept = read(DEVICES_KEY, () => localStorage);
  return Array.isArray(kept) ? kept.filter((each) => Array.isArray(each) && each.length === 2) : [];
}

/**
 * One tab, one session. "Duplicate tab" copies the storage: the copy finds the session claimed. False for such a copy.
 * Without locks (plain http on another host) nobody can tell; see the decision.
 */
export function claim(sessionId: string): Promise<boolean> {
  const { locks } = navigator as { locks?: LockManager }; // not given to every page
  if (!locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    const hold = (): Promise<void> => {
      resolve(true);
      return new Promise(() => {}); // until the tab is gone
    };
    locks
      .request(`parley session ${sessionId}`, { signal: AbortSignal.timeout(CLAIM_MS) }, hold)
      .catch(() => resolve(false));
  });
}

export type Unfinished = {
  username: string;
  /** Message ids: seen, but something before them in the mailbox was not, so they could not be acknowledged. */
  seen: string[];
  talks: { name: string; draft: string; outgoing: Outgoing[] }[];
};

export function readUnfinished(username: string): Unfinished {
  const kept = read(UNFINISHED_KEY) as Unfinished | undefined | null;
  return kept?.username === username ? kept : { username, seen: [], talks: [] };
}

export const keepUnfinished = (unfinished: Unfinished | undefined): void => keep(UNFINISHED_KEY, unfinished);
