/** For work that nobody waits for, such as timers: an error there must not end the process with all its streams. */
import { StoreUnavailable } from './redis/client.ts';

export type ReportError = (work: string, error: unknown) => void;

/** Logs each error, but not twice in a row for the same reason. The connections already log an unavailable Redis. */
export function createErrorReport(log: { warn(message: string): void }): ReportError {
  const lastReasons = new Map<string, string>();
  return (work, error) => {
    if (error instanceof StoreUnavailable) return;
    const reason = error instanceof Error ? error.message : String(error);
    if (lastReasons.get(work) === reason) return;
    lastReasons.set(work, reason);
    log.warn(`unexpected error in ${work}: ${reason}`);
  };
}
