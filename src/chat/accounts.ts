/** Accounts: registration, and their public and private profiles. */
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';
import { displayNameOf } from './display-names.ts';
import { type Account, type Caller, type Network, type User, unknownUser } from './model.ts';
import { accountLost } from './problems.ts';
import { createRegistration, type NewAccount, type RegistrationOptions } from './registration.ts';

export type Accounts = ReturnType<typeof createAccounts>;

export function toAccount({ username, displayName, createdAt, lastSeenAt }: AccountRecord): Account {
  return { username, displayName, createdAt, lastSeenAt };
}

export function createAccounts(
  options: RegistrationOptions & { store: AccountStore; presence: PresenceStore },
) {
  const { store, names, presence } = options;
  const createAccount = createRegistration(options);

  async function ownAccount(caller: Caller): Promise<Account> {
    const account = await store.find(caller.username);
    if (!account) throw accountLost();
    return toAccount(account);
  }

  return {
    async register(input: NewAccount, networks: Network[], signal?: AbortSignal): Promise<Account> {
      return toAccount(await createAccount(input, networks, signal));
    },

    me: ownAccount,

    async rename(caller: Caller, displayName: string): Promise<Account> {
      await store.rename(caller.username, displayNameOf(displayName));
      await presence.announceRename(caller.username).catch(() => {}); // nodes read the name again after a while
      return ownAccount(caller);
    },

    async user(name: string): Promise<User> {
      const username = await names.resolveOrUnknown(name);
      const [account, online] = await Promise.all([store.find(username), presence.isOnline(username)]);
      if (!account) throw unknownUser();
      return { username, displayName: account.displayName, online, lastSeenAt: account.lastSeenAt };
    },
  };
}
