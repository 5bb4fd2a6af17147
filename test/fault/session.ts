/** One session of one account. It renews expired tokens, and registers again if the account is lost. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, GIVE_UP_MS, NO_RESPONSE } from './client.ts';
import type { Note } from './history.ts';

export type Session = {
  username: string;
  token: string;
  sid: string;
  /** Gets a new token, with retries. Concurrent callers share one renewal. */
  renew(): Promise<void>;
};

const PASSWORD = 'correct horse battery';
const RETRY_MS = 200;
const ATTEMPTS = 150;

/** Clock tolerance for the expiry of tokens. */
const CLOCK_MARGIN_MS = 2_000;

/** The claims of an access token. */
function claimsOf(token: string): { sid: string; exp: number } {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
}

/** Does nothing if the account already exists. */
export async function register(client: Client, username: string): Promise<void> {
  await client.request('POST', '/v1/register', { body: { username, password: PASSWORD } }).catch(() => {});
}

/** `onEnded` reports a session or token that the server no longer accepts; that is a violation unless data was lost. */
export async function openSession(
  client: Client,
  username: string,
  onEnded: (note: Note) => void,
): Promise<Session> {
  let refreshToken: string | undefined;
  /** Reused until the refresh succeeds, so that a retry gets the same token. */
  let nonce = randomUUID();
  let renewing: Promise<void> | undefined;
  /** Requests rejected shortly after a renewal may have used the previous token. */
  let renewedAtMs = Number.NEGATIVE_INFINITY;

  async function logIn(): Promise<void> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
      const body = refreshToken ? { refreshToken, nonce } : { username, password: PASSWORD };
      const response = await client
        .request('POST', refreshToken ? '/v1/refresh' : '/v1/login', { body })
        .catch(() => NO_RESPONSE);
      if (response.status === 200) {
        if (session.token) renewedAtMs = performance.now();
        session.token = response.body.accessToken;
        session.sid = claimsOf(session.token).sid;
        refreshToken = response.body.refreshToken;
        nonce = randomUUID();
        return;
      }
      const what = `${username}: ${refreshToken ? 'refresh' : 'login'} returned 401`;
      if (response.status === 401 && session.token) onEnded({ rule: 'sessions survive', what });
      // If Redis lost the account, it also lost the session.
      if (response.status === 401 && refreshToken === undefined) await register(client, username);
      else if (response.status !== 401) await sleep(RETRY_MS);
      if (response.status === 401) refreshToken = undefined;
    }
    throw new Error(`${username} cannot log in`);
  }

  const session: Session = {
    username,
    token: '',
    sid: '',
    renew: () => {
      const isOld = performance.now() - renewedAtMs > GIVE_UP_MS;
      const isGood = session.token && claimsOf(session.token).exp * 1_000 > Date.now() + CLOCK_MARGIN_MS;
      if (!renewing && isOld && isGood)
        onEnded({ rule: 'a token is valid until it expires', what: username });
      renewing ??= logIn().finally(() => {
        renewing = undefined;
      });
      return renewing;
    },
  };
  await session.renew();
  return session;
}
