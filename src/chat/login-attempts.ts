/**
 * Login attempts: rate limits, the password check, and counting.
 *
 * A failure is counted before the check, so that concurrent attempts cannot exceed the limit, and refunded if the attempt
 * did not fail. Counts are kept per network (over all accounts), per account (over all unknown devices) and per known device.
 * Successes are counted per account and network because they cost as much. A rejected attempt is not counted.
 */

import type { RateLimit } from '../rate-limit.ts';
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import type { Bucket, RateLimitStore } from '../store/rate-limits.ts';
import type { DeviceTokens } from './device-tokens.ts';
import type { Network } from './model.ts';
import type { Place } from './password-queue.ts';
import type { KeptPassword, Passwords } from './passwords.ts';
import { Problem, tooMany } from './problems.ts';
import { hashOf } from './tokens.ts';
import type { UsernameRegistry } from './username-registry.ts';

/** A network usually has many users, so its limit is higher than that of an account. */
const NETWORK_FACTOR = 10;

export type Credentials = { username: string; password: string; deviceToken?: string | undefined };
/** An attempt that succeeded. */
export type Admitted = { username: string; deviceToken: string };
export type LoginAttempts = ReturnType<typeof createLoginAttempts>;

export function createLoginAttempts(options: {
  accounts: AccountStore;
  names: UsernameRegistry;
  limits: RateLimitStore;
  failureLimit: RateLimit;
  successLimit: RateLimit;
  passwords: Passwords;
  devices: DeviceTokens;
}) {
  const { accounts, names, limits, failureLimit, successLimit, passwords, devices } = options;

  const ofNetworks = (purpose: string, networks: Network[], limit: RateLimit): Bucket[] =>
    networks.map(({ key, factor }) => ({
      purpose,
      who: key,
      limit: { ...limit, max: limit.max * NETWORK_FACTOR * factor },
    }));

  /** Networks come first. A known device does not share its network's counts, which others could exhaust. */
  function bucketsOf(who: string, device: string | undefined, networks: Network[]) {
    const own = { purpose: 'logged-in', who, limit: successLimit };
    if (device) {
      return { failures: [{ purpose: 'login-device', who: device, limit: failureLimit }], successes: [own] };
    }
    return {
      failures: [
        ...ofNetworks('login-from', networks, failureLimit),
        { purpose: 'login', who, limit: failureLimit },
      ],
      successes: [...ofNetworks('logged-in-from', networks, successLimit), own],
    };
  }

  /** Refunds the failure count unless the attempt failed. */
  async function counted(
    { failures, successes }: ReturnType<typeof bucketsOf>,
    attempt: () => Promise<boolean>,
  ): Promise<boolean> {
    const waitMs = await limits.admit(failures, successes);
    if (waitMs > 0) throw tooMany(waitMs, 'logins');
    let isGood: boolean | undefined;
    try {
      isGood = await attempt();
    } finally {
      if (isGood !== false) await limits.settle(failures, isGood ? successes : []);
    }
    return isGood;
  }

  /** Runs after the response, with its own place in the queue. If it fails, the next login retries. */
  async function hashAgain(account: AccountRecord, password: string, networks: Network[]): Promise<void> {
    let place: Place | undefined;
    try {
      place = passwords.enter({ networks, who: undefined });
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
    ): Promise<Admitted> {
      const username = await names.resolve(name);
      // An invalid username is counted like an unknown one.
      const who = username ?? `?${hashOf(name).slice(0, 22)}`;
      const device = username && deviceToken ? devices.verify(deviceToken, username) : undefined;
      const place = passwords.enter({
        networks,
        who: device ? `device ${device}` : `${networks[0]?.key} ${who}`,
      });
      let account: AccountRecord | undefined;
      try {
        const isGood = await counted(bucketsOf(who, device, networks), async () => {
          account = username ? await accounts.find(username) : undefined;
          signal?.throwIfAborted();
          return passwords.matches(place, password, account && keptOf(account), signal);
        });
        if (!isGood || !account) throw badCredentials();
      } finally {
        place.leave();
      }
      await names.remember(account);
      if (passwords.isOutdated(password, keptOf(account))) void hashAgain(account, password, networks);
      return {
        username: account.username,
        deviceToken: devices.issue(account.username, device ?? devices.newId()),
      };
    },

    /** Counts the login of an account that has just been registered. Its password needs no check: it was set a moment ago. */
    async admitNew(username: string, networks: Network[]): Promise<Admitted> {
      await counted(bucketsOf(username, undefined, networks), async () => true);
      return { username, deviceToken: devices.issue(username, devices.newId()) };
    },
  };
}

const keptOf = ({ passwordHash, isPasswordPrepared }: AccountRecord): KeptPassword => ({
  hash: passwordHash,
  isPrepared: isPasswordPrepared,
});

const badCredentials = () =>
  new Problem('bad_credentials', 'Unknown username or wrong password. If you are new here, register first.');
