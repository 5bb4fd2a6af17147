/** Registration of accounts: limited by network, with the password hashed in its turn. */
import type { RateLimit } from '../rate-limit-setting.ts';
import type { AccountRecord } from '../store/accounts.ts';
import type { RateLimitStore } from '../store/token-buckets.ts';
import { displayNameOf } from './display-names.ts';
import type { Network } from './model.ts';
import { checkNewPassword } from './password-rules.ts';
import type { Passwords } from './passwords.ts';
import { tooMany } from './problems.ts';
import type { StorageGuard } from './storage-guard.ts';
import type { UsernameRegistry } from './username-registry.ts';
import { newUsername } from './usernames.ts';

export type RegistrationOptions = {
  names: UsernameRegistry;
  limits: RateLimitStore;
  /** Per network. */
  registerLimit: RateLimit;
  passwords: Passwords;
  storage: StorageGuard;
  now: () => number;
};
export type NewAccount = { username: string; password: string; displayName?: string | undefined };

export function createRegistration(options: RegistrationOptions) {
  const { names, limits, registerLimit, passwords, storage, now } = options;

  async function checkLimit(networks: Network[]): Promise<void> {
    const waitMs = await limits.admit(
      networks.map(({ key, factor }) => ({
        purpose: 'register',
        who: key,
        limit: { ...registerLimit, max: registerLimit.max * factor },
      })),
    );
    if (waitMs > 0) throw tooMany(waitMs, 'registrations from this network');
  }

  async function create(
    { username, password, displayName }: NewAccount & { displayName: string },
    networks: Network[],
    signal?: AbortSignal,
  ): Promise<AccountRecord> {
    const place = passwords.enter({ networks, account: undefined });
    try {
      await checkLimit(networks);
      await names.checkFree(username);
      const passwordHash = await passwords.hash(place, password, signal);
      signal?.throwIfAborted();
      const createdAt = new Date(now()).toISOString();
      const hashed = { passwordHash, isPasswordPrepared: true };
      const account = { username, displayName, ...hashed, createdAt, lastSeenAt: null };
      await names.register(account);
      return account;
    } finally {
      place.leave();
    }
  }

  return async (input: NewAccount, networks: Network[], signal?: AbortSignal): Promise<AccountRecord> => {
    const { password } = input;
    const username = newUsername(input.username);
    const displayName = displayNameOf(input.displayName ?? input.username.normalize('NFKC'));
    checkNewPassword(password, username);
    return storage.store(() => create({ username, password, displayName }, networks, signal));
  };
}
