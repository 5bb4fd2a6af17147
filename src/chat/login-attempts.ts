/** Login attempts: from a username and a password to an account and a new device token. */
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import { toAccount } from './accounts.ts';
import type { DeviceTokens } from './device-tokens.ts';
import { createLoginLimits, type LoginLimitOptions, type Origin } from './login-limits.ts';
import type { Account, Network } from './model.ts';
import type { Place } from './password-queue.ts';
import type { Passwords, StoredPassword } from './passwords.ts';
import { Problem } from './problems.ts';
import { sha256 } from './sha256.ts';
import type { UsernameRegistry } from './username-registry.ts';

export type Credentials = { username: string; password: string; deviceToken?: string | undefined };
export type VerifiedLogin = { account: Account; deviceToken: string };
export type LoginAttempts = ReturnType<typeof createLoginAttempts>;

type LoginOptions = LoginLimitOptions & {
  accounts: AccountStore;
  names: UsernameRegistry;
  passwords: Passwords;
  devices: DeviceTokens;
};

export function createLoginAttempts(options: LoginOptions) {
  const { accounts, names, passwords, devices } = options;
  const loginLimits = createLoginLimits(options);

  /** Returns the account if the password is right. Waits for its turn in the queue. */
  async function checkPassword(
    password: string,
    {
      username,
      origin,
      signal,
    }: { username: string | undefined; origin: Origin; signal: AbortSignal | undefined },
  ): Promise<AccountRecord | undefined> {
    const { account: limitedAs, device, networks } = origin;
    const queuedAs = device ? `device ${device}` : `${networks[0]?.key} ${limitedAs}`;
    const place = passwords.enter({ networks, account: queuedAs });
    let account: AccountRecord | undefined;
    try {
      const isCorrect = await loginLimits.charge(origin, async () => {
        account = username ? await accounts.find(username) : undefined;
        signal?.throwIfAborted();
        return passwords.matches(place, password, account && storedPasswordOf(account), signal);
      });
      return isCorrect ? account : undefined;
    } finally {
      place.leave();
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
      const device = username && deviceToken ? devices.verify(deviceToken, username) : undefined;
      // An invalid username is limited like an unknown one.
      const origin = { account: username ?? `?${sha256(name).slice(0, 22)}`, device, networks };
      const account = await checkPassword(password, { username, origin, signal });
      if (!account) throw badCredentials();
      await names.reserveIfMissing(account);
      if (passwords.isOutdated(password, storedPasswordOf(account)))
        void rehash(options, account, password, networks);
      return {
        account: toAccount(account),
        deviceToken: devices.issue(account.username, device ?? devices.newId()),
      };
    },

    /** Charges the login of an account that has just been registered. Its password needs no check. */
    async admitNew(account: Account, networks: Network[]): Promise<VerifiedLogin> {
      const { username } = account;
      await loginLimits.charge({ account: username, device: undefined, networks }, async () => true);
      return { account, deviceToken: devices.issue(username, devices.newId()) };
    },
  };
}

/** Runs after the response, with a place of its own in the queue. If it fails, the next login tries again. */
async function rehash(
  { accounts, passwords }: LoginOptions,
  account: AccountRecord,
  password: string,
  networks: Network[],
): Promise<void> {
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

const storedPasswordOf = ({ passwordHash, isPasswordPrepared }: AccountRecord): StoredPassword => ({
  hash: passwordHash,
  isPrepared: isPasswordPrepared,
});

const badCredentials = () =>
  new Problem(
    'bad_credentials',
    'The username or the password is wrong. If you have no account yet, create one with POST /v1/register.',
  );
