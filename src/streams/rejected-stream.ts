/**
 * A stream that cannot begin now, though it may later: the store is away, this node is stopping, a limit is reached. An
 * EventSource gives up for good on any status but 200 (WHATWG HTML, section 9.2.3), so such a stream is opened all the
 * same, says when to come back, and ends. No event of it has an id: the reader keeps its place.
 */
import { burst, ownBlock, retryLine } from './sse.ts';
import { type GoodbyeCode, retryMs } from './stream.ts';
import type { StreamAnswer } from './stream-request.ts';

export type RejectionCode = Extract<GoodbyeCode, 'unavailable' | 'too_many_requests'>;

/** How long the goodbye may take to leave before the socket is cut. */
const LEAVE_MS = 2_000;

/** `waitMs`: not before that, and then each at a moment of its own. */
export function rejectStream(answer: StreamAnswer, code: RejectionCode, waitMs: number): void {
  if (answer.isOver()) return;
  const out = answer.begin();
  const goodbye = burst(ownBlock({ kind: 'goodbye', code, reconnect: true }), undefined);
  out.end(Buffer.concat([retryLine(Math.max(0, waitMs - 1_000) + retryMs()), goodbye]));
  setTimeout(() => out.destroy(), LEAVE_MS).unref();
}
