/**
 * Acknowledges the direct messages that have been shown. Requests are batched, because acknowledging a message
 * acknowledges all earlier ones too. A failed request is repeated, or replaced by the next one.
 */
import type { Parley } from '@parley-chat/client';
import { isRetryable } from './problems.ts';

const BATCH_DELAY_MS = 300;
const RETRY_MS = 3_000;

/** `isOver`: whether the stream has ended; nothing is acknowledged from then on. */
export function createAcknowledgements(parley: Parley, isOver: () => boolean) {
  let pending: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  async function flush(signal?: AbortSignal): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = pending;
    pending = undefined;
    if (upTo === undefined || isOver()) return;
    const { problem } = await parley.ackMailbox(upTo, signal ? { signal } : {});
    if (!problem || !isRetryable(problem) || pending !== undefined) return;
    pending = upTo;
    timer = setTimeout(() => void flush(), RETRY_MS);
  }

  return {
    /** Schedules an acknowledgement of this message and all before it. */
    add(messageId: string): void {
      pending = messageId;
      timer ??= setTimeout(() => void flush(), BATCH_DELAY_MS);
    },
    /** Sends the pending acknowledgement, once. On failure the messages are delivered again. */
    async close(withinMs: number): Promise<void> {
      await flush(AbortSignal.timeout(withinMs)).catch(() => {});
      clearTimeout(timer);
    },
  };
}
