/**
 * Holds what clients saw to what Parley promises. Pure: a history in, violations out.
 *
 * The truth is what is stored at the end: each stored message must have reached everybody that it was meant for, unless
 * a gap told them so; and each send that was answered with 201 must be stored, unless the fault may lose something,
 * and then whoever had seen a lost message must have been told. Known limit: a lost message that nobody had received
 * leaves no trace (decision 002), so only its number is reported.
 */
import { checkReader } from './check-reader.ts';
import { type History, logOf, type ReaderHistory, type Send, type Stored } from './history.ts';

/** What the fault of a run may cost, at most. */
export type Cost = {
  /** Reasons of gaps that are no false alarm. */
  gaps?: readonly string[];
  /** Whoever listens has a message within this, counted from its 201; the slow look at the logs is slower. */
  promptMs?: number;
  /** Definite answers other than 201 that a send may get. */
  refusals?: readonly number[];
  /** How many attempts to send may end without an answer that says what happened. */
  unknowns?: number;
  /** Whose stream has ended has another within this. */
  backMs?: number;
};
export type Violation = { rule: string; what: string };

export type Verdict = {
  violations: Violation[];
  /** Messages that had been answered with 201 and are gone. */
  lost: number;
  /** Messages that came again, as at-least-once allows. */
  repeats: number;
  gaps: number;
};

export function check(history: History, cost: Cost = {}): Verdict {
  const violations: Violation[] = history.notes.map((note) => ({ ...note }));
  const found = (rule: string, what: string) => void violations.push({ rule, what });
  const sends = new Map(history.sends.map((send) => [send.text, send]));
  const storedTexts = checkStored(history, sends, found);
  const lost = checkSends(history, storedTexts, cost, found);
  let [repeats, gaps] = [0, 0];
  for (const reader of history.readers) {
    const counts = checkReader(reader, { history, sends, cost, found });
    repeats += counts.repeats;
    gaps += counts.gaps;
  }
  for (const reader of history.readers) if (reader.name.endsWith('/0')) checkMailbox(reader, history, found);
  return { violations, lost, repeats, gaps };
}

type Found = (rule: string, what: string) => void;

/** Every log: seq without holes, each message one that was sent there, and stored once. */
function checkStored(history: History, sends: Map<string, Send>, found: Found): Map<string, Stored> {
  const byText = new Map<string, Stored>();
  for (const [log, entries] of history.stored) {
    for (const [index, entry] of entries.entries()) {
      const before = entries[index - 1]?.seq ?? 0;
      if (entry.seq !== before + 1) found('no holes', `${log}: seq ${before} is followed by ${entry.seq}`);
      const send = sends.get(entry.text);
      if (!send || send.kind !== entry.kind || send.from !== entry.from || logOf(send) !== log)
        found('nothing unexpected', `${log} holds ${entry.text} of ${entry.from}, which nobody sent there`);
      if (byText.has(entry.text)) found('stored once', `${entry.text} is stored twice`);
      byText.set(entry.text, entry);
    }
  }
  return byText;
}

function checkSends(
  { sends, losses }: History,
  stored: Map<string, Stored>,
  cost: Cost,
  found: Found,
): number {
  const unknowns = sends.reduce((sum, each) => sum + each.unknowns, 0);
  if (unknowns > (cost.unknowns ?? Number.POSITIVE_INFINITY))
    found('every send is answered', `${unknowns} attempts ended without 201 or a definite no`);
  let lost = 0;
  for (const send of sends) {
    const entry = stored.get(send.text);
    if (send.outcome === 'unknown' && !send.isKeyless)
      found('every send is settled', `${send.text} is unknown to the end`);
    if (send.outcome === 'fail') {
      if (!cost.refusals?.includes(send.status))
        found('no refusal', `${send.text} was answered with ${send.status}`);
      if (entry) found('refused is not stored', send.text);
    }
    if (send.outcome !== 'ok') continue;
    if (entry && entry.id === send.id && entry.seq === send.seq) continue;
    const mayBeLost = losses.some(({ fromMs, toMs }) => send.endedAtMs >= fromMs && send.startedAtMs <= toMs);
    if (!mayBeLost)
      found(
        '201 means stored',
        `${send.text} (${send.id}, seq ${send.seq}) is ${entry ? 'another' : 'gone'}`,
      );
    else lost += 1;
  }
  return lost;
}

/** What was delivered and not acknowledged, in that order, and nothing else. */
function checkMailbox(reader: ReaderHistory, history: History, found: Found): void {
  const { username } = reader;
  const mailbox = history.mailboxes.get(username);
  if (!mailbox) return;
  if (mailbox.unread !== mailbox.ids.length)
    found('mailbox', `${username}: unread says ${mailbox.unread}, it lists ${mailbox.ids.length}`);
  const received = [...history.stored.values()]
    .flat()
    .filter(({ to, from }) => to === username && from !== to);
  const isKept = new Set(received.map(({ id }) => id));
  for (const id of mailbox.ids)
    if (!isKept.has(id)) found('mailbox', `${username}: ${id} is in no conversation`);
  const acks = history.acks.filter((ack) => ack.username === username);
  if (history.losses.length > 0 || acks.some(({ isTaken }) => !isTaken)) return;
  const order = [
    ...new Set(
      reader.events.flatMap((event) => (event.kind === 'dm' && event.from !== username ? [event.id] : [])),
    ),
  ];
  const acked = Math.max(-1, ...acks.map(({ id }) => order.indexOf(id)));
  const wanted = order.slice(acked + 1).join();
  if (mailbox.ids.join() !== wanted)
    found(
      'mailbox',
      `${username}: it lists ${mailbox.ids.length}, delivered and not acknowledged are ${order.length - acked - 1}`,
    );
}
