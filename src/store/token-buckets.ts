/**
 * Token buckets for attempts that must be limited: a burst of the full limit, then evenly spaced. Sends are counted in
 * their own scripts instead (see lua/lib/send-limit.lua).
 */
import type { RateLimit } from '../rate-limit-setting.ts';
import type { Store } from './redis/client.ts';

/** Owner and purpose of a bucket. A limit of 0 disables it. */
export type Bucket = { purpose: string; who: string; limit: RateLimit };
export type RateLimitStore = ReturnType<typeof createRateLimitStore>;

export function createRateLimitStore({ keys, run }: Store) {
  /** The keys of all buckets that are enabled, and the arguments: the number of first ones, then each limit. */
  const input = (first: Bucket[], others: Bucket[]): [keys: string[], args: number[]] => {
    const [enabledFirst, enabledOthers] = [first, others].map((each) =>
      each.filter(({ limit }) => limit.max > 0),
    );
    const all = [...enabledFirst!, ...enabledOthers!];
    return [
      all.map(({ purpose, who }) => keys.limit(purpose, who)),
      [enabledFirst!.length, ...all.flatMap(({ limit }) => [limit.max, limit.windowMs])],
    ];
  };

  return {
    /**
     * Take one token from each bucket of `charge`, unless one of them or of `check` is empty: then nothing is written.
     * Returns the milliseconds to wait; 0 means go ahead.
     */
    async admit(charge: Bucket[], check: Bucket[] = []): Promise<number> {
      const [buckets, args] = input(charge, check);
      return buckets.length === 0 ? 0 : run('bucket-take', buckets, args);
    },

    /** Refund the tokens of `refund`, and charge the buckets of `charge` instead. */
    async settle(refund: Bucket[], charge: Bucket[] = []): Promise<void> {
      const [buckets, args] = input(refund, charge);
      if (buckets.length > 0) await run('bucket-settle', buckets, args);
    },
  };
}
