/**
 * Buckets for what must not be tried too often: as many at once as the limit says, then one at a time, evenly. Sends are
 * counted inside their own scripts (see lua/lib/limit.lua).
 */
import type { Limit } from './log/log-store.ts';
import type { Store } from './redis/client.ts';

/** Whose it is, and of what. A limit of 0 is none. */
export type Bucket = { purpose: string; who: string; limit: Limit };
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
     * Takes one from each of `taken`, unless one of all buckets is empty: then nothing is written. Answers the
     * milliseconds to wait, 0 = go ahead.
     */
    async admit(taken: Bucket[], asked: Bucket[] = []): Promise<number> {
      const [all, limits] = args(taken, asked);
      return all.length === 0 ? 0 : run('limit-take', all, limits);
    },

    /** It turned out to be none of what `taken` is for, but of what `counted` is. */
    async settle(taken: Bucket[], counted: Bucket[] = []): Promise<void> {
      const [all, limits] = args(taken, counted);
      if (all.length > 0) await run('limit-settle', all, limits);
    },
  };
}
