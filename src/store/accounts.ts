/** Accounts: one hash each. A username that reaches this file is canonical already. */
import type { Store } from './redis.ts';

export type AccountRecord = {
  username: string;
  displayName: string;
  passwordHash: string;
  /** RFC 3339. */
  createdAt: string;
  lastSeenAt: string | null;
};

export type AccountStore = ReturnType<typeof createAccountStore>;

export function createAccountStore({ keys, commands, run, attempt }: Store) {
  return {
    async register(account: AccountRecord): Promise<'created' | 'taken'> {
      const { displayName, passwordHash, createdAt } = account;
      const fields = ['displayName', displayName, 'passwordHash', passwordHash, 'createdAt', createdAt];
      return run('register', [keys.account(account.username)], fields);
    },

    async find(username: string): Promise<AccountRecord | undefined> {
      const row = await attempt(commands.hgetall(keys.account(username)));
      if (!row['passwordHash']) return undefined;
      return {
        username,
        displayName: row['displayName'] ?? username,
        passwordHash: row['passwordHash'],
        createdAt: row['createdAt'] ?? '',
        lastSeenAt: row['lastSeenAt'] ?? null,
      };
    },

    async exists(username: string): Promise<boolean> {
      return (await attempt(commands.exists(keys.account(username)))) === 1;
    },

    async rename(username: string, displayName: string): Promise<'set' | 'unknown'> {
      return run('amend', [keys.account(username)], ['displayName', displayName]);
    },

    async seen(username: string, at: string): Promise<void> {
      await run('amend', [keys.account(username)], ['lastSeenAt', at]);
    },

    /** Display names, in the order asked; the username where there is none. */
    async displayNames(usernames: string[]): Promise<string[]> {
      const names = await run('names', usernames.map(keys.account));
      return usernames.map((username, index) => names[index] || username);
    },
  };
}
