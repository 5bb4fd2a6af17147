/** Accounts: one hash each. A username that reaches this file is canonical already. */
import type { Store } from './redis/client.ts';

export type AccountRecord = {
  username: string;
  displayName: string;
  passwordHash: string;
  /** Whether the hash is of the prepared password (RFC 8265). False for accounts older than that preparation. */
  isPasswordPrepared: boolean;
  /** RFC 3339. */
  createdAt: string;
  lastSeenAt: string | null;
  /** The confusable skeleton of the username, if it has been reserved. */
  skeleton?: string | undefined;
};

/** COUNT hint for SCAN: keys of any kind examined per call. */
const SCAN_COUNT = 500;
/**
 * The skeleton of a username belongs to its registration for this long, and longer if the account exists by then. No command
 * reaches Redis that late: the connection is closed after 4 s without a reply.
 */
const RESERVED_FOR_MS = 60_000;
/** How a password was prepared before hashing (RFC 8265). */
const PREPARED = 'opaque';

export type AccountStore = ReturnType<typeof createAccountStore>;

export function createAccountStore(store: Store) {
  return { ...createAccountRecords(store), ...createSkeletonIndex(store) };
}

function createAccountRecords({ keys, commands, run, attempt }: Store) {
  return {
    /** Reserve its skeleton first. */
    async create(account: AccountRecord & { skeleton: string }): Promise<'created' | 'taken'> {
      const { username, displayName, passwordHash, createdAt, skeleton } = account;
      const fields = { displayName, passwordHash, createdAt, skeleton };
      const form = account.isPasswordPrepared ? ['passwordForm', PREPARED] : [];
      return run('account-create', [keys.account(username)], [...Object.entries(fields).flat(), ...form]);
    },

    async find(username: string): Promise<AccountRecord | undefined> {
      const row = await attempt(commands.hgetall(keys.account(username)));
      if (!row['passwordHash']) return undefined;
      return {
        username,
        displayName: row['displayName'] ?? username,
        passwordHash: row['passwordHash'],
        isPasswordPrepared: row['passwordForm'] === PREPARED,
        createdAt: row['createdAt'] ?? '',
        lastSeenAt: row['lastSeenAt'] ?? null,
        skeleton: row['skeleton'],
      };
    },

    async exists(username: string): Promise<boolean> {
      return (await attempt(commands.exists(keys.account(username)))) === 1;
    },

    async rename(username: string, displayName: string): Promise<'set' | 'unknown'> {
      return run('account-update', [keys.account(username)], ['displayName', displayName]);
    },

    async setLastSeen(username: string, at: string): Promise<void> {
      await run('account-update', [keys.account(username)], ['lastSeenAt', at]);
    },

    /** Store a new hash of the same, prepared password, unless the hash was changed since `old` was read. */
    async rehash(username: string, old: string, hash: string): Promise<'set' | 'changed'> {
      return run('password-rehash', [keys.account(username)], [old, hash, PREPARED]);
    },

    /** Display names in the order of `usernames`; the username where there is none. */
    async displayNames(usernames: string[]): Promise<string[]> {
      const names = await run('account-names', usernames.map(keys.account));
      return usernames.map((username, index) => names[index] || username);
    },
  };
}

/** Which account holds which skeleton, so that no two usernames look the same. */
function createSkeletonIndex({ keys, commands, run, attempt, now }: Store) {
  const exists = async (username: string) => (await attempt(commands.exists(keys.account(username)))) === 1;

  return {
    /** Returns undefined, or the username that holds the skeleton: an account, or a registration in progress. */
    async reserveSkeleton(username: string, skeleton: string): Promise<string | undefined> {
      let vacant = '';
      for (;;) {
        const args = [username, vacant, now(), RESERVED_FOR_MS];
        const [outcome, holder] = await run('skeleton-reserve', [keys.skeleton(skeleton)], args);
        if (outcome === 'reserved') return undefined;
        if (holder === vacant || (await exists(holder))) return holder;
        vacant = holder;
      }
    },

    /** Record the skeleton in an existing account, whether this account or another one holds it. */
    async setSkeleton(username: string, skeleton: string): Promise<void> {
      await run('account-update', [keys.account(username)], ['skeleton', skeleton]);
    },

    /** The account that has this username, or one that looks the same. */
    async findHolder(skeleton: string): Promise<string | undefined> {
      const holder = await attempt(commands.hget(keys.skeleton(skeleton), 'username'));
      return holder !== null && (await exists(holder)) ? holder : undefined;
    },

    /** Some of all accounts. No cursor in the result means the end. An account may be returned twice. */
    async scan(cursor: string): Promise<{ usernames: string[]; cursor: string | undefined }> {
      const [next, accounts] = await attempt(
        commands.scan(cursor, 'MATCH', keys.accounts, 'COUNT', SCAN_COUNT),
      );
      return { usernames: accounts.map(keys.usernameIn), cursor: next === '0' ? undefined : next };
    },

    /**
     * Version of the rules by which skeletons were reserved. `fresh`: no node has ever run here, so there are no
     * accounts.
     */
    async skeletonVersion(): Promise<string> {
      const [version, nodes] = await attempt(
        Promise.all([
          commands.hget(keys.skeletons, 'version'),
          commands.exists(keys.heartbeats, keys.earlierNodes),
        ]),
      );
      return version ?? (nodes ? 'none' : 'fresh');
    },

    async setSkeletonVersion(version: string): Promise<void> {
      await attempt(commands.hset(keys.skeletons, 'version', version));
    },
  };
}
