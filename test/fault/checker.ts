/**
 * Checks what the clients observed against Parley's guarantees. Pure: takes a history, returns violations.
 *
 * The data stored at the end is the reference. Each stored message must have reached every addressee, unless a gap covers
 * it. Each send that got 201 must be stored, unless the fault may lose data; then every reader that had received the lost
 * message must get a gap. Known limit: a lost message that nobody received leaves no trace (decision 002), so such
 * messages are only counted.
 */
import { checkReader } from './check-reader.ts';
import { type History, logOf, type ReaderHistory, type Send, type Stored } from './history.ts';

/** The most that the fault of a run may cost. */
export type Cost = {
  /** Gap reasons that are not false alarms. */
  gaps?: readonly string[];
  /** Time from the 201 to delivery on open streams; shorter than the interval of the log poller. */
  promptMs?: number;
  /** Definite statuses other than 201 that a send may get. */
  refusals?: readonly number[];
  /** Number of send attempts that may end without a definite response. */
  unknowns?: number;
  /** Logs may have lost everything up to some message. */
  mayLoseFronts?: boolean;
  /** Time within which a reader must reconnect after its stream ended. */
  backMs?: number;
};
export type Violation = { rule: string; what: string };

export type Verdict = {
  violations: Violation[];
  /** Messages that got 201 and are gone. */
  lost: number;
  /** Messages delivered again, which at-least-once delivery allows. */
  repeats: number;
  gaps: number;
};

export function check(history: History, cost: Cost = {}): Verdict {
  const violations: Violation[] = history.notes.map((note) => ({ ...note }));
  const report = (rule: string, what: string) => void violations.push({ rule, what });
  const sends = new Map(history.sends.map((send) => [send.text, send]));
  const storedTexts = checkStored(history, sends, cost, report);
  const lost = checkSends(history, storedTexts, cost, report);
  let [repeats, gaps] = [0, 0];
  for (const reader of history.readers) {
    const counts = checkReader(reader, { history, sends, cost, report });
    repeats += counts.repeats;
    gaps += counts.gaps;
  }
  for (const reader of history.readers) if (reader.name.endsWith('/0')) checkMailbox(reader, history, report);
  return { violations, lost, repeats, gaps };
}

type Report = (rule: string, what: string) => void;

/** Every log must have consecutive seqs, from 1 unless its front may be lost, and contain only messages that were sent to it, each once. */
function checkStored(
  history: History,
  sends: Map<string, Send>,
  cost: Cost,
  report: Report,
): Map<string, Stored> {
  const byText = new Map<string, Stored>();
  for (const [log, entries] of history.stored) {
    const lostUpTo = cost.mayLoseFronts && entries[0] ? entries[0].seq - 1 : 0;
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1]?.seq ?? lostUpTo;
      if (entry.seq !== before + 1) report('no holes', `${log}: seq ${before} is followed by ${entry.seq}`);
      const send = sends.get(entry.text);
      if (!send || send.kind !== entry.kind || send.from !== entry.from || logOf(send) !== log)
        report(
          'nothing unexpected',
          `${log} contains ${entry.text} from ${entry.from}, which nobody sent there`,
        );
      if (byText.has(entry.text)) report('stored once', `${entry.text} is stored twice`);
      byText.set(entry.text, entry);
    }
  }
  return byText;
}

function checkSends(
  { sends, losses }: History,
  stored: Map<string, Stored>,
  cost: Cost,
  report: Report,
): number {
  const unknowns = sends.reduce((sum, each) => sum + each.unknowns, 0);
  if (unknowns > (cost.unknowns ?? Number.POSITIVE_INFINITY))
    report('every send is answered', `${unknowns} attempts ended without 201 or a definite rejection`);
  let lost = 0;
  for (const send of sends) {
    const entry = stored.get(send.text);
    if (send.outcome === 'unknown' && !send.isKeyless)
      report('every send is settled', `${send.text} is still unknown at the end`);
    if (send.outcome === 'fail') {
      if (!cost.refusals?.includes(send.status)) report('no rejection', `${send.text} got ${send.status}`);
      if (entry) report('rejected sends are not stored', send.text);
    }
    if (send.outcome !== 'ok') continue;
    if (entry && entry.id === send.id && entry.seq === send.seq) continue;
    const mayBeLost = losses.some(({ fromMs, toMs }) => send.endedAtMs >= fromMs && send.startedAtMs <= toMs);
    if (!mayBeLost)
      report(
        '201 means stored',
        `${send.text} (${send.id}, seq ${send.seq}) is ${entry ? 'stored differently' : 'gone'}`,
      );
    else lost += 1;
  }
  return lost;
}

/** The mailbox must contain exactly the delivered and unacknowledged messages, in order of delivery. */
function checkMailbox(reader: ReaderHistory, history: History, report: Report): void {
  const { username } = reader;
  const mailbox = history.mailboxes.get(username);
  if (!mailbox) return;
  if (mailbox.unread !== mailbox.ids.length)
    report('mailbox', `${username}: unread is ${mailbox.unread}, but it lists ${mailbox.ids.length}`);
  const received = [...history.stored.values()]
    .flat()
    .filter(({ to, from }) => to === username && from !== to);
  const storedIds = new Set(received.map(({ id }) => id));
  for (const id of mailbox.ids)
    if (!storedIds.has(id)) report('mailbox', `${username}: ${id} is in no conversation`);
  const acks = history.acks.filter((ack) => ack.username === username);
  if (history.losses.length > 0 || acks.some(({ isAccepted }) => !isAccepted)) return;
  const order = [
    ...new Set(
      reader.events.flatMap((event) => (event.kind === 'dm' && event.from !== username ? [event.id] : [])),
    ),
  ];
  const acked = Math.max(-1, ...acks.map(({ id }) => order.indexOf(id)));
  const expected = order.slice(acked + 1).join();
  if (mailbox.ids.join() !== expected)
    report(
      'mailbox',
      `${username}: it lists ${mailbox.ids.length}, but ${order.length - acked - 1} are delivered and unacknowledged`,
    );
}
