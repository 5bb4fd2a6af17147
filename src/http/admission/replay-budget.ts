/** Charges what a stream reads at its beginning, and makes it wait. Lives as long as that: it holds a name, no request. */
import type { ReplayBudget } from '../../streams/stream.ts';
import type { Budget, Budgets } from './budgets.ts';
import { ANSWER_BYTES } from './prices.ts';

/** The account is looked up each time, for one with a full bucket is forgotten; networks stay, with the connection. */
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
