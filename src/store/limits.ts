/** Counters for what must not be tried too often. Sends are counted inside their own scripts (see lua/lib/limit.lua). */
import type { Limit } from './logs.ts';
import type { Store } from './redis.ts';

export type LimitStore = ReturnType<typeof createLimitStore>;

export function createLimitStore({ keys, run }: Store) {
  return {
    /** Count one attempt; answers the milliseconds to wait, 0 = go ahead. */
    async take(purpose: string, who: string, limit: Limit): Promise<number> {
      if (limit.max === 0) return 0;
      return run('limit', [keys.limit(purpose, who)], ['take', limit.max, limit.windowMs]);
    },

    /** The attempt turned out to be none of those that the limit is there for. */
    async giveBack(purpose: string, who: string, limit: Limit): Promise<void> {
      if (limit.max > 0) await run('limit', [keys.limit(purpose, who)], ['give back', 0, 0]);
    },
  };
}
