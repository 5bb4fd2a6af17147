/**
 * A stream that cannot start now but may later: Redis is unavailable, this node is stopping, or a limit is reached. An
 * EventSource gives up permanently on any status but 200 (WHATWG HTML, section 9.2.3), so the stream is opened anyway,
 * says when to reconnect, and ends. None of its events has an id, so the client keeps its position.
 */
import { burst, ownBlock, retryLine } from './sse.ts';
import { type GoodbyeCode, retryMs } from './stream.ts';
import type { StreamAnswer } from './stream-types.ts';

export type RejectionCode = Extract<GoodbyeCode, 'unavailable' | 'too_many_requests'>;

/** Time for the goodbye to be sent before the socket is destroyed. */
const LEAVE_MS = 2_000;

/** Reconnect no earlier than `waitMs`, each client after a random delay. */
export function rejectStream(answer: StreamAnswer, code: RejectionCode, waitMs: number): void {
  if (answer.isOver()) return;
  const out = answer.begin();
  const goodbye = burst(ownBlock({ kind: 'goodbye', code, reconnect: true }), undefined);
  out.end(Buffer.concat([retryLine(Math.max(0, waitMs - 1_000) + retryMs()), goodbye]));
  setTimeout(() => out.destroy(), LEAVE_MS).unref();
}
