/** Translates a failure of the store into the problem that callers see. */
import { StoreUnavailable } from '../store/redis/client.ts';
import { Problem } from './problems.ts';

/** Returns nothing for errors that do not mean that Redis is unavailable. */
export function storeProblem(error: unknown): Problem | undefined {
  if (!(error instanceof StoreUnavailable)) return undefined;
  const detail = 'Redis is not responding. Try again; when you repeat a send, use the same Idempotency-Key.';
  return new Problem('unavailable', detail, { retryAfterMs: 1_000 });
}
