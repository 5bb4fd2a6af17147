/**
 * Every request is answered in time, also when Redis hangs. All deadlines are equally far away, so they come in the order
 * in which they were set: a list, oldest first, and one timer that looks at its head.
 *
 * The list is linked by hand. A Set throws its table away again and again, and what such a table still points to lives
 * until the next full garbage collection: a fifth of what a send cost.
 */
const DEADLINE_MS = 4_500;
const LOOK_EVERY_MS = 100;

type Link = { before: Link | undefined; after: Link | undefined };
export type Deadline = Link & { untilMs: number; giveUp: () => void };

/** Both ends: `after` is the oldest deadline, `before` the newest. */
const ends: Link = { before: undefined, after: undefined };
ends.before = ends;
ends.after = ends;

function look(): void {
  const now = performance.now();
  while (ends.after !== ends) {
    const oldest = ends.after as Deadline; // whatever is not the ends is a deadline
    if (oldest.untilMs > now) return;
    meetDeadline(oldest);
    oldest.giveUp();
  }
}

setInterval(look, LOOK_EVERY_MS).unref();

/** Calls `giveUp` unless `meetDeadline` comes first. The work goes on; only the caller stops waiting. */
export function setDeadline(giveUp: () => void): Deadline {
  const newest = ends.before!;
  const deadline = { untilMs: performance.now() + DEADLINE_MS, giveUp, before: newest, after: ends };
  newest.after = deadline;
  ends.before = deadline;
  return deadline;
}

/** False when it is too late: the caller has been answered. */
export function meetDeadline(deadline: Deadline): boolean {
  const { before, after } = deadline;
  if (!before || !after) return false;
  before.after = after;
  after.before = before;
  deadline.before = undefined;
  deadline.after = undefined;
  return true;
}
