/** Charges what a stream reads at its beginning, and makes it wait. Lives as long as that: it holds a name, no request. */
import type { ReplayMeter } from '../live/stream.ts';
import type { Parties, Party } from './parties.ts';
import { ANSWER_BYTES } from './prices.ts';

/** The account is looked up each time, for one with a full bucket is forgotten; networks stay, with the connection. */
export function createReplayMeter(accounts: Parties, username: string, networks: Party[]): ReplayMeter {
  const account = (nowMs: number) => accounts.of(username, 1, nowMs);
  return {
    waitMs(): number {
      const nowMs = performance.now();
      let waitMs = account(nowMs).spareMs(nowMs);
      for (const party of networks) waitMs = Math.max(waitMs, party.spareMs(nowMs));
      return waitMs;
    },
    spend(bytes: number): void {
      const points = Math.ceil(bytes / ANSWER_BYTES);
      account(performance.now()).spend(points);
      for (const party of networks) party.spend(points);
    },
  };
}
