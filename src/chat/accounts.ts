/** Accounts: registration, and their public and private profiles. */

import type { RateLimit } from '../rate-limit.ts';
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';
import type { RateLimitStore } from '../store/rate-limits.ts';
import { displayNameOf } from './display-names.ts';
import { type Account, type Caller, type Network, type User, unknownUser } from './model.ts';
import { checkNewPassword } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import { Problem, tooMany } from './problems.ts';
import type { StorageGuard } from './storage-guard.ts';
import type { UsernameRegistry } from './username-registry.ts';
import { newUsername } from './usernames.ts';

export type Accounts = ReturnType<typeof createAccounts>;

export function toAccount({ username, displayName, createdAt, lastSeenAt }: AccountRecord): Account {
  return { username, displayName, createdAt, lastSeenAt };
}

export function createAccounts(options: {
  store: AccountStore;
  names: UsernameRegistry;
  presence: PresenceStore;
  limits: RateLimitStore;
  registerLimit: RateLimit;
  passwords: Passwords;
  storage: StorageGuard;
  now: () => number;
}) {
  const { store, names, presence, limits, registerLimit, passwords, storage, now } = options;

  return {
    async register(
      input: { username: string; password: string; displayName?: string | undefined },
      networks: Network[],
      signal?: AbortSignal,
    ): Promise<Account> {
      const username = newUsername(input.username);
      const displayName = displayNameOf(input.displayName ?? input.username.normalize('NFKC'));
      checkNewPassword(input.password, username);
      return storage.store(async () => {
        const place = passwords.enter({ networks, who: undefined });
        try {
          const waitMs = await limits.admit(
            networks.map(({ key, factor }) => ({
              purpose: 'register',
              who: key,
              limit: { ...registerLimit, max: registerLimit.max * factor },
            })),
          );
          if (waitMs > 0) throw tooMany(waitMs, 'registrations from this network');
          await names.checkFree(username);
          const passwordHash = await passwords.hash(place, input.password, signal);
          signal?.throwIfAborted();
          const createdAt = new Date(now()).toISOString();
          const hashed = { passwordHash, isPasswordPrepared: true };
          const account = { username, displayName, ...hashed, createdAt, lastSeenAt: null };
          await names.register(account);
          return toAccount(account);
        } finally {
          place.leave();
        }
      });
    },

    async me(caller: Caller): Promise<Account> {
      return toAccount(await own(caller));
    },

    async rename(caller: Caller, displayName: string): Promise<Account> {
      await store.rename(caller.username, displayNameOf(displayName));
      return toAccount(await own(caller));
    },

    async user(name: string): Promise<User> {
      const username = await names.resolveOrUnknown(name);
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
