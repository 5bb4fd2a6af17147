/** How long a stream waits before it reconnects: as long as the server asks, with exponential backoff. */
import { type Clock, jittered } from './clock.ts';
import type { Interruption } from './stream-types.ts';

export type ReconnectDelay = ReturnType<typeof createReconnectDelay>;

const MAX_DELAY_MS = 30_000;
/** Until the server sends `retry:`. */
const DEFAULT_RETRY_MS = 2_000;
/** A connection that expires sooner than this is not reopened at once, to prevent a tight loop. */
const SHORT_CONNECTION_MS = 1_000;

export function createReconnectDelay(clock: Clock) {
  let retryMs = DEFAULT_RETRY_MS;
  let failures = 0;
  let openedAtMs = 0;

  /** What the server asks for with this interruption. */
  function requestedMs(because: Interruption): number {
    if (typeof because === 'object' && 'retryAfterSeconds' in because)
      return because.retryAfterSeconds * 1_000;
    return because === 'too_many_requests' ? retryMs : 0;
  }

  return {
    /** Sets the delay that the server sends as `retry:`. */
    setRetry(ms: number): void {
      retryMs = ms;
    },
    connectionOpened(): void {
      openedAtMs = clock.now();
    },
    /** Resets the backoff. */
    eventReceived(): void {
      failures = 0;
    },
    /** Returns undefined if the stream should reconnect at once. */
    next(because: Interruption): number | undefined {
      const isShort = clock.now() - openedAtMs < SHORT_CONNECTION_MS;
      if (because === 'expired' && failures === 0 && !isShort) return undefined;
      // No jitter on the first attempt: the server already randomizes `retry:` per stream.
      const backoffMs =
        failures === 0 ? retryMs : jittered(Math.min(MAX_DELAY_MS, retryMs * 2 ** failures), clock);
      failures += 1;
      return Math.max(backoffMs, requestedMs(because));
    },
  };
}
