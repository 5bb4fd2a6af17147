/** One login of one account, kept alive by all means: a token that has expired is renewed, a lost account made again. */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Client, GIVE_UP_MS } from './client.ts';
import type { Note } from './history.ts';

export type Session = {
  username: string;
  token: string;
  sid: string;
  /** Get another token, whatever it takes. Callers that ask at the same time share one. */
  renew(): Promise<void>;
};

const PASSWORD = 'correct horse battery';
const RETRY_MS = 200;
const GIVE_UP_AFTER = 150;

/** How exactly the clock of the clients tells when a token expires. */
const CLOCK_MARGIN_MS = 2_000;

/** The claims of an access token. */
function claimsOf(token: string): { sid: string; exp: number } {
  return JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());
}

/** If the account is there already, nothing happens. */
export async function register(client: Client, username: string): Promise<void> {
  await client.ask('POST', '/v1/register', { body: { username, password: PASSWORD } }).catch(() => {});
}

/** `ended` is told when the server does not know any more what it must know: that is fine after a loss only. */
export async function openSession(
  client: Client,
  username: string,
  ended: (note: Note) => void,
): Promise<Session> {
  let refreshToken: string | undefined;
  /** Kept until the refresh token was answered: a repeat proves itself with it. */
  let nonce = randomUUID();
  let renewing: Promise<void> | undefined;
  /** What is refused for some time after may have been asked with the token before. */
  let renewedAtMs = Number.NEGATIVE_INFINITY;

  async function enter(): Promise<void> {
    for (let tries = 0; tries < GIVE_UP_AFTER; tries += 1) {
      const body = refreshToken ? { refreshToken, nonce } : { username, password: PASSWORD };
      const answer = await client
        .ask('POST', refreshToken ? '/v1/refresh' : '/v1/login', { body })
        .catch(() => ({ status: 0, body: undefined }));
      if (answer.status === 200) {
        if (session.token) renewedAtMs = performance.now();
        session.token = answer.body.accessToken;
        session.sid = claimsOf(session.token).sid;
        refreshToken = answer.body.refreshToken;
        nonce = randomUUID();
        return;
      }
      const what = `${username}: ${refreshToken ? 'refresh' : 'login'} was answered 401`;
      if (answer.status === 401 && session.token) ended({ rule: 'a session lasts', what });
      // A Redis that lost the account has lost the session too.
      if (answer.status === 401 && refreshToken === undefined) await register(client, username);
      else if (answer.status !== 401) await sleep(RETRY_MS);
      if (answer.status === 401) refreshToken = undefined;
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
      if (!renewing && isOld && isGood) ended({ rule: 'a token is good until it expires', what: username });
      renewing ??= enter().finally(() => {
        renewing = undefined;
      });
      return renewing;
    },
  };
  await session.renew();
  return session;
}
