/**
 * Token buckets for attempts that must be limited: a burst of the full limit, then evenly spaced. Sends are counted in
 * their own scripts instead (see lua/lib/limit.lua).
 */
import type { RateLimit } from '../rate-limit.ts';
import type { Store } from './redis/client.ts';

/** Owner and purpose of a bucket. A limit of 0 disables it. */
export type Bucket = { purpose: string; who: string; limit: RateLimit };
export type RateLimitStore = ReturnType<typeof createRateLimitStore>;

export function createRateLimitStore({ keys, run }: Store) {
  const args = (first: Bucket[], rest: Bucket[]): [keys: string[], args: number[]] => {
    const [counted, others] = [first, rest].map((each) => each.filter(({ limit }) => limit.max > 0));
    const all = [...counted!, ...others!];
    return [
      all.map(({ purpose, who }) => keys.limit(purpose, who)),
      [counted!.length, ...all.flatMap(({ limit }) => [limit.max, limit.windowMs])],
    ];
  };

  return {
    /**
     * Take one token from each bucket of `taken`, unless any bucket is empty, in which case nothing is written. Returns
     * the milliseconds to wait; 0 means go ahead.
     */
    async admit(taken: Bucket[], asked: Bucket[] = []): Promise<number> {
      const [all, limits] = args(taken, asked);
      return all.length === 0 ? 0 : run('limit-take', all, limits);
    },

    /** Refund the tokens of `taken`, and charge the buckets of `counted` instead. */
    async settle(taken: Bucket[], counted: Bucket[] = []): Promise<void> {
      const [all, limits] = args(taken, counted);
      if (all.length > 0) await run('limit-settle', all, limits);
    },
  };
}
