/** Sessions: login, refresh, logout, and who a token belongs to. */
import { createHmac, type KeyObject } from 'node:crypto';
import type { components } from '../contract.d.ts';
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { LimitStore } from '../store/limits.ts';
import type { Limit } from '../store/logs.ts';
import type { SessionStore } from '../store/sessions.ts';
import { toAccount } from './accounts.ts';
import type { Caller, Network } from './model.ts';
import type { Names } from './names.ts';
import type { Passwords } from './passwords.ts';
import type { Presence } from './presence.ts';
import { Problem, tooMany } from './problems.ts';
import { hashOf, newRefreshToken, newSessionId, parseRefreshToken, type Tokens } from './tokens.ts';

export type Login = components['schemas']['Login'];
export type Sessions = ReturnType<typeof createSessions>;

/** A network stands for many people more often than an account does. */
const NETWORK_FACTOR = 10;
const LOGIN_USERS = 100;

export function createSessions(options: {
  store: SessionStore;
  accounts: AccountStore;
  names: Names;
  presence: Presence;
  limits: LimitStore;
  loginLimit: Limit;
  passwords: Passwords;
  tokens: Tokens;
  /** Makes the token after one that was presented with a nonce. */
  refreshKey: KeyObject;
  accessTtlSeconds: number;
  now: () => number;
}) {
  const { store, accounts, names, presence, limits, loginLimit, passwords, tokens, refreshKey } = options;
  const { accessTtlSeconds, now } = options;

  /** The same for every repeat, and known to nobody without the key. */
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

  /** Counts the attempt before it is made, so that many at once cannot slip through; all but a failed one is given back. */
  async function guarded(
    counters: [purpose: string, who: string, limit: Limit][],
    attempt: () => Promise<boolean>,
  ) {
    const waits = await Promise.all(counters.map((counter) => limits.take(...counter)));
    const waitMs = Math.max(...waits);
    let hasFailed = false;
    try {
      if (waitMs > 0) throw tooMany(waitMs, 'failed logins');
      hasFailed = !(await attempt());
      return !hasFailed;
    } finally {
      const taken = hasFailed ? [] : counters.filter((_, index) => waits[index] === 0);
      await Promise.all(taken.map((counter) => limits.giveBack(...counter)));
    }
  }

  return {
    async login(
      input: { username: string; password: string; device?: string | undefined },
      networks: Network[],
    ): Promise<Login> {
      const username = await names.resolve(input.username);
      const counters: [string, string, Limit][] = [
        ['login', username ?? '?', loginLimit],
        ...networks.map(({ key, factor }): [string, string, Limit] => [
          ...(['login-from', key] as const),
          { ...loginLimit, max: loginLimit.max * NETWORK_FACTOR * factor },
        ]),
      ];
      let account: AccountRecord | undefined;
      const isGood = await guarded(counters, async () => {
        account = username ? await accounts.find(username) : undefined;
        return passwords.matches(input.password, account?.passwordHash);
      });
      if (!isGood || !account || !username) {
        throw new Problem(
          'bad_credentials',
          'Unknown username or wrong password. If you are new here, register first.',
        );
      }
      await names.remember(account);
      const sid = newSessionId();
      const { token, hash } = newRefreshToken(username, sid);
      await Promise.all([
        store.open({ username, sid, refreshHash: hash, device: input.device ?? '' }),
        accounts.seen(username, new Date(now()).toISOString()),
      ]);
      return answer(username, sid, token);
    },

    /** `nonce`: proves that a repeat comes from the client that asked first; each repeat gets the same next token. */
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
