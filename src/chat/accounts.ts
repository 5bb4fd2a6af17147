/** Accounts: register, and what is public or private of them. */
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { LimitStore } from '../store/limits.ts';
import type { Limit } from '../store/logs.ts';
import type { PresenceStore } from '../store/presence.ts';
import {
  type Account,
  type Caller,
  checkDisplayName,
  checkPassword,
  type Network,
  newUsername,
  type User,
  unknownUser,
  usernameOrUnknown,
} from './model.ts';
import type { Passwords } from './passwords.ts';
import { Problem, tooMany } from './problems.ts';

export type Accounts = ReturnType<typeof createAccounts>;

export function toAccount({ username, displayName, createdAt, lastSeenAt }: AccountRecord): Account {
  return { username, displayName, createdAt, lastSeenAt };
}

export function createAccounts(options: {
  store: AccountStore;
  presence: PresenceStore;
  limits: LimitStore;
  registerLimit: Limit;
  passwords: Passwords;
  now: () => number;
}) {
  const { store, presence, limits, registerLimit, passwords, now } = options;
  const taken = () =>
    new Problem('username_taken', 'Somebody has this username already. Choose another one.');

  return {
    async register(
      input: { username: string; password: string; displayName?: string | undefined },
      networks: Network[],
    ): Promise<Account> {
      const username = newUsername(input.username);
      const displayName = input.displayName ?? input.username.normalize('NFKC');
      checkDisplayName(displayName);
      checkPassword(input.password);
      for (const { key, factor } of networks) {
        const waitMs = await limits.take('register', key, {
          ...registerLimit,
          max: registerLimit.max * factor,
        });
        if (waitMs > 0) throw tooMany(waitMs, 'registrations from this network');
      }
      if (await store.exists(username)) throw taken();
      const passwordHash = await passwords.hash(input.password);
      const createdAt = new Date(now()).toISOString();
      const account = { username, displayName, passwordHash, createdAt, lastSeenAt: null };
      if ((await store.register(account)) === 'taken') throw taken();
      return toAccount(account);
    },

    async me(caller: Caller): Promise<Account> {
      return toAccount(await own(caller));
    },

    async rename(caller: Caller, displayName: string): Promise<Account> {
      checkDisplayName(displayName);
      await store.rename(caller.username, displayName);
      return toAccount(await own(caller));
    },

    async user(name: string): Promise<User> {
      const username = usernameOrUnknown(name);
      const [account, online] = await Promise.all([store.find(username), presence.isOnline(username)]);
      if (!account) throw unknownUser();
      return { username, displayName: account.displayName, online, lastSeenAt: account.lastSeenAt };
    },
  };

  /** A token outlives its account only if Redis lost the account. */
  async function own(caller: Caller): Promise<AccountRecord> {
    const account = await store.find(caller.username);
    if (!account) throw new Problem('session_ended', 'The account of this session is gone.');
    return account;
  }
}
