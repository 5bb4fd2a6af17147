/** Login attempts: from a username and a password to an account and a new device token. */
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { DeviceTokens } from './device-tokens.ts';
import { createLoginLimits, type LoginLimitOptions } from './login-limits.ts';
import type { Network } from './model.ts';
import type { Place } from './password-queue.ts';
import type { Passwords, StoredPassword } from './passwords.ts';
import { Problem } from './problems.ts';
import { sha256 } from './sha256.ts';
import type { UsernameRegistry } from './username-registry.ts';

export type Credentials = { username: string; password: string; deviceToken?: string | undefined };
export type VerifiedLogin = { username: string; deviceToken: string };
export type LoginAttempts = ReturnType<typeof createLoginAttempts>;

export function createLoginAttempts(
  options: LoginLimitOptions & {
    accounts: AccountStore;
    names: UsernameRegistry;
    passwords: Passwords;
    devices: DeviceTokens;
  },
) {
  const { accounts, names, passwords, devices } = options;
  const loginLimits = createLoginLimits(options);

  /** Runs after the response, with a place of its own in the queue. If it fails, the next login tries again. */
  async function rehash(account: AccountRecord, password: string, networks: Network[]): Promise<void> {
    let place: Place | undefined;
    try {
      place = passwords.enter({ networks, account: undefined });
      const hash = await passwords.hash(place, password);
      await accounts.rehash(account.username, account.passwordHash, hash);
    } catch {
    } finally {
      place?.leave();
    }
  }

  return {
    /** Throws unless the password is right. */
    async verify(
      { username: name, password, deviceToken }: Credentials,
      networks: Network[],
      signal?: AbortSignal,
    ): Promise<VerifiedLogin> {
      const username = await names.resolve(name);
      // An invalid username is limited like an unknown one.
      const limited = username ?? `?${sha256(name).slice(0, 22)}`;
      const device = username && deviceToken ? devices.verify(deviceToken, username) : undefined;
      const place = passwords.enter({
        networks,
        account: device ? `device ${device}` : `${networks[0]?.key} ${limited}`,
      });
      let account: AccountRecord | undefined;
      try {
        const isCorrect = await loginLimits.charge({ account: limited, device, networks }, async () => {
          account = username ? await accounts.find(username) : undefined;
          signal?.throwIfAborted();
          return passwords.matches(place, password, account && storedPasswordOf(account), signal);
        });
        if (!isCorrect || !account) throw badCredentials();
      } finally {
        place.leave();
      }
      await names.reserveIfMissing(account);
      if (passwords.isOutdated(password, storedPasswordOf(account))) void rehash(account, password, networks);
      return {
        username: account.username,
        deviceToken: devices.issue(account.username, device ?? devices.newId()),
      };
    },

    /** Charges the login of an account that has just been registered. Its password needs no check. */
    async admitNew(username: string, networks: Network[]): Promise<VerifiedLogin> {
      await loginLimits.charge({ account: username, device: undefined, networks }, async () => true);
      return { username, deviceToken: devices.issue(username, devices.newId()) };
    },
  };
}

const storedPasswordOf = ({ passwordHash, isPasswordPrepared }: AccountRecord): StoredPassword => ({
  hash: passwordHash,
  isPrepared: isPasswordPrepared,
});

const badCredentials = () =>
  new Problem(
    'bad_credentials',
    'The username or the password is wrong. If you have no account yet, create one with POST /v1/register.',
  );
