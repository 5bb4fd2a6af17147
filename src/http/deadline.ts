/**
 * Every request is answered in time, also when Redis hangs. All deadlines are equally far away, so they come in the order
 * in which they were set, and one timer looks after all of them.
 */
import { Problem } from '../chat/problems.ts';

const DEADLINE_MS = 4_500;
const LOOK_EVERY_MS = 100;

type Waiting = { untilMs: number; giveUp: () => void };
const waiting = new Set<Waiting>();

function look(): void {
  const now = performance.now();
  for (const each of waiting) {
    if (each.untilMs > now) return;
    waiting.delete(each);
    each.giveUp();
  }
}

setInterval(look, LOOK_EVERY_MS).unref();

/** The work goes on after the deadline; only the caller stops waiting, and must not take it for a failure. */
export function withinDeadline<T>(work: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const giveUp = () => {
      const detail =
        'The answer took too long. What was sent may still arrive: repeat it with its Idempotency-Key.';
      reject(new Problem('unavailable', detail, { retryAfterMs: 1_000 }));
    };
    const mine: Waiting = { untilMs: performance.now() + DEADLINE_MS, giveUp };
    waiting.add(mine);
    const done = () => void waiting.delete(mine);
    work.then(resolve, reject).then(done);
  });
}
