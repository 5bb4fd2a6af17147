/** Sessions: login, refresh, logout, and token verification. */
import { createHmac, type KeyObject } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { SessionStore } from '../store/sessions.ts';
import { toAccount } from './accounts.ts';
import type { Admitted, Credentials, LoginAttempts } from './login-attempts.ts';
import type { Caller, Network } from './model.ts';
import type { Presence } from './presence.ts';
import { Problem } from './problems.ts';
import { hashOf, newRefreshToken, newSessionId, parseRefreshToken, type Tokens } from './tokens.ts';

export type Login = components['schemas']['Login'];
export type Sessions = ReturnType<typeof createSessions>;

const LOGIN_USERS = 100;

export function createSessions(options: {
  store: SessionStore;
  accounts: AccountStore;
  presence: Presence;
  logins: LoginAttempts;
  tokens: Tokens;
  /** Per account. One more login ends the least recently used session. */
  maxSessions: number;
  /** Derives the next token of a refresh with a nonce. */
  refreshKey: KeyObject;
  accessTtlSeconds: number;
  now: () => number;
}) {
  const { store, accounts, presence, logins, tokens, maxSessions, refreshKey } = options;
  const { accessTtlSeconds, now } = options;

  /** The same for every retry, and unpredictable without the key. */
  const nextSecret = (presentedHash: string, nonceHash: string): string =>
    createHmac('sha256', refreshKey).update(`${presentedHash} ${nonceHash}`).digest('base64url');

  async function answer(username: string, sid: string, refreshToken: string): Promise<Login> {
    const [account, online] = await Promise.all([accounts.find(username), presence.summary(LOGIN_USERS)]);
    if (!account) throw new Problem('session_ended', 'The account of this session is gone.');
    return {
      accessToken: tokens.issue({ username, sid }),
      tokenType: 'Bearer',
      expiresIn: accessTtlSeconds,
      refreshToken,
      account: toAccount(account),
      online,
    };
  }

  async function open({ username, deviceToken }: Admitted, device: string | undefined): Promise<Login> {
    const sid = newSessionId();
    const { token, hash } = newRefreshToken(username, sid);
    const [beyond] = await Promise.all([
      store.open({ username, sid, refreshHash: hash, device: device ?? '', max: maxSessions }),
      accounts.setLastSeen(username, new Date(now()).toISOString()),
    ]);
    await Promise.all(beyond.map((oldest) => store.end(username, oldest)));
    return { ...(await answer(username, sid, token)), deviceToken };
  }

  return {
    async login(
      input: Credentials & { device?: string | undefined },
      networks: Network[],
      signal?: AbortSignal,
    ): Promise<Login> {
      return open(await logins.verify(input, networks, signal), input.device);
    },

    /** Logs in to an account that this client has just registered. */
    async loginNew(username: string, device: string | undefined, networks: Network[]): Promise<Login> {
      return open(await logins.admitNew(username, networks), device);
    },

    /** `nonce` proves that a retry comes from the same client; every retry gets the same next token. */
    async refresh({
      refreshToken,
      nonce,
    }: {
      refreshToken: string;
      nonce?: string | undefined;
    }): Promise<Login> {
      const presented = parseRefreshToken(refreshToken);
      if (presented) {
        const { username, sid, hash: presentedHash } = presented;
        const nonceHash = nonce === undefined ? '' : hashOf(nonce);
        const next = newRefreshToken(
          username,
          sid,
          nonceHash ? nextSecret(presentedHash, nonceHash) : undefined,
        );
        const outcome = await store.refresh({ username, sid, presentedHash, nextHash: next.hash, nonceHash });
        if (outcome === 'refreshed') return answer(username, sid, next.token);
      }
      throw new Problem(
        'bad_refresh_token',
        'The refresh token is unknown, used, or of an ended session: log in again.',
      );
    },

    async logout(caller: Caller): Promise<void> {
      await store.end(caller.username, caller.sid);
    },

    authenticate(token: string): Caller {
      const caller = tokens.verify(token);
      if (store.isRevoked(caller.sid))
        throw new Problem('session_ended', 'This session has ended: log in again.');
      return caller;
    },
  };
}
