/** Sessions: login, refresh, logout, and authentication by access token. */
import type { KeyObject } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { SessionStore } from '../store/sessions.ts';
import type { AccessTokens } from './access-tokens.ts';
import { toAccount } from './accounts.ts';
import type { Credentials, LoginAttempts, VerifiedLogin } from './login-attempts.ts';
import type { Account, Caller, Network } from './model.ts';
import type { Presence } from './presence.ts';
import { accountLost, Problem, sessionEnded } from './problems.ts';
import { newRefreshToken, newSessionId, nextRefreshToken, parseRefreshToken } from './refresh-tokens.ts';
import { sha256 } from './sha256.ts';

export type Login = components['schemas']['Login'];
export type Sessions = ReturnType<typeof createSessions>;

type LoginContext = {
  presence: Pick<Presence, 'summary'>;
  tokens: AccessTokens;
  accessTtlSeconds: number;
};

type SessionOptions = LoginContext & {
  accounts: AccountStore;
  store: SessionStore;
  logins: LoginAttempts;
  /** Per account. One more login ends the least recently used session. */
  maxSessions: number;
  /** See `nextRefreshToken`. */
  refreshKey: KeyObject;
  now: () => number;
};

export function createSessions(options: SessionOptions) {
  const { store, accounts, logins, tokens, maxSessions, refreshKey, now } = options;

  async function open({ account, deviceToken }: VerifiedLogin, device = ''): Promise<Login> {
    const { username } = account;
    const sid = newSessionId();
    const { token, hash } = newRefreshToken(username, sid);
    const lastSeenAt = new Date(now()).toISOString();
    const excess = await store.open(
      { username, sid, refreshHash: hash, device, max: maxSessions },
      lastSeenAt,
    );
    if (!excess) throw accountLost();
    await Promise.all(excess.map((oldest) => store.end(username, oldest)));
    const login = await loginOf(options, { ...account, lastSeenAt }, sid, token);
    return { ...login, deviceToken };
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
    async loginNew(account: Account, device: string | undefined, networks: Network[]): Promise<Login> {
      return open(await logins.admitNew(account, networks), device);
    },

    /** `nonce` proves that a retry comes from the same client; every retry gets the same next token. */
    async refresh(input: { refreshToken: string; nonce?: string | undefined }): Promise<Login> {
      const presented = parseRefreshToken(input.refreshToken);
      if (!presented) throw badRefreshToken();
      const { username, sid, hash: presentedHash } = presented;
      const nonceHash = input.nonce === undefined ? '' : sha256(input.nonce);
      const next = nextRefreshToken(presented, nonceHash, refreshKey);
      if (!(await store.refresh({ username, sid, presentedHash, nextHash: next.hash, nonceHash })))
        throw badRefreshToken();
      const account = await accounts.find(username);
      if (!account) throw accountLost();
      return loginOf(options, toAccount(account), sid, next.token);
    },

    async logout(caller: Caller): Promise<void> {
      await store.end(caller.username, caller.sid);
    },

    authenticate(token: string): Caller {
      const caller = tokens.verify(token);
      if (store.isRevoked(caller.sid)) throw sessionEnded();
      return caller;
    },
  };
}

async function loginOf(
  { presence, tokens, accessTtlSeconds }: LoginContext,
  account: Account,
  sid: string,
  refreshToken: string,
): Promise<Login> {
  return {
    accessToken: tokens.issue({ username: account.username, sid }),
    tokenType: 'Bearer',
    expiresIn: accessTtlSeconds,
    refreshToken,
    account,
    online: await presence.summary.get(),
  };
}

const badRefreshToken = () =>
  new Problem(
    'bad_refresh_token',
    'The refresh token is unknown or already used, or its session has ended. Log in again with POST /v1/login.',
  );
