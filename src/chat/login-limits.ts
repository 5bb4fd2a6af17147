/**
 * Rate limits for logins.
 *
 * A failure is charged before the password check, so that concurrent attempts cannot exceed the limit, and refunded if the
 * attempt does not fail. Failures are limited per network (over all accounts), per account (over all unknown devices) and
 * per known device. Successes cost as much work, so they are limited per account and per network. A rejected attempt is
 * not charged.
 */
import type { RateLimit } from '../rate-limit-setting.ts';
import type { Bucket, RateLimitStore } from '../store/token-buckets.ts';
import type { Network } from './model.ts';
import { tooMany } from './problems.ts';

/** A network usually has many users, so its limit is higher than that of an account. */
const NETWORK_FACTOR = 10;

export type LoginLimitOptions = { limits: RateLimitStore; failureLimit: RateLimit; successLimit: RateLimit };

/** `account`: the username, or a key for an invalid one. `device`: the id of a known device. */
export type Origin = { account: string; device: string | undefined; networks: Network[] };

export function createLoginLimits({ limits, failureLimit, successLimit }: LoginLimitOptions) {
  const networkBuckets = (purpose: string, networks: Network[], limit: RateLimit): Bucket[] =>
    networks.map(({ key, factor }) => ({
      purpose,
      who: key,
      limit: { ...limit, max: limit.max * NETWORK_FACTOR * factor },
    }));

  /** Networks come first. A known device is not limited by its network, whose limits others could exhaust. */
  function bucketsOf({ account, device, networks }: Origin): { failures: Bucket[]; successes: Bucket[] } {
    const accountSuccesses = { purpose: 'logged-in', who: account, limit: successLimit };
    if (device) {
      return {
        failures: [{ purpose: 'login-device', who: device, limit: failureLimit }],
        successes: [accountSuccesses],
      };
    }
    return {
      failures: [
        ...networkBuckets('login-from', networks, failureLimit),
        { purpose: 'login', who: account, limit: failureLimit },
      ],
      successes: [...networkBuckets('logged-in-from', networks, successLimit), accountSuccesses],
    };
  }

  return {
    /** Returns what `checkPassword` returns, or throws `too_many_requests`. If it throws, nothing is charged. */
    async charge(origin: Origin, checkPassword: () => Promise<boolean>): Promise<boolean> {
      const { failures, successes } = bucketsOf(origin);
      const waitMs = await limits.admit(failures, successes);
      if (waitMs > 0) throw tooMany(waitMs, 'logins');
      let isCorrect: boolean | undefined;
      try {
        isCorrect = await checkPassword();
      } finally {
        if (isCorrect !== false) await limits.settle(failures, isCorrect ? successes : []);
      }
      return isCorrect;
    },
  };
}
