/** Charges the replay of a stream, and makes it wait for points. Holds only a username, so that the request can be freed. */
import type { ReplayBudget } from '../../streams/stream.ts';
import type { Budget, Budgets } from './budgets.ts';
import { ANSWER_BYTES } from './price-classes.ts';

/** Looks the account up each time, because idle budgets are forgotten; those of networks stay while it is connected. */
export function createReplayBudget(accounts: Budgets, username: string, networks: Budget[]): ReplayBudget {
  const account = (nowMs: number) => accounts.of(username, 1, nowMs);
  return {
    waitMs(): number {
      const nowMs = performance.now();
      let waitMs = account(nowMs).spareMs(nowMs);
      for (const budget of networks) waitMs = Math.max(waitMs, budget.spareMs(nowMs));
      return waitMs;
    },
    spend(bytes: number): void {
      const points = Math.ceil(bytes / ANSWER_BYTES);
      account(performance.now()).spend(points);
      for (const budget of networks) budget.spend(points);
    },
  };
}
