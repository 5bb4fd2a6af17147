/** Compares the events of one reader with the stored logs: everything must arrive once and in order, or be covered by a gap. Pure. */
import type { Cost } from './checker.ts';
import {
  type Ack,
  BROADCASTS,
  type Gap,
  type History,
  type LogName,
  logOf,
  type ReaderEvent,
  type ReaderHistory,
  type Send,
  type Stored,
} from './history.ts';

type Context = {
  history: History;
  sends: Map<string, Send>;
  cost: Cost;
  report: (rule: string, what: string) => void;
};
type Message = Extract<ReaderEvent, { id: string }>;
type GapEvent = Extract<ReaderEvent, { kind: 'gap' }>;

export const isMessage = (event: ReaderEvent): event is Message =>
  event.kind === 'dm' || event.kind === 'broadcast';
const logNameOf = (log: string): LogName => (log === BROADCASTS ? 'broadcasts' : 'inbox');
/** A connected reader gets the gap for a loss within this: Redis starts, the nodes reconnect and compare the logs. */
const REPORTED_WITHIN_MS = 10_000;
/** The stream restarts: the log no longer continues what the reader saw before. */
const isRestart = (gap: Gap): boolean => gap.from === null;

export function checkReader(reader: ReaderHistory, context: Context): { repeats: number; gaps: number } {
  const { cost, report } = context;
  const gaps = reader.events.filter((event): event is GapEvent => event.kind === 'gap');
  for (const { reason, log, from, to } of gaps)
    if (!cost.gaps?.includes(reason))
      report('no false alarm', `${reader.name}: ${log} ${from}–${to}, ${reason}`);
  for (const log of ['inbox', 'broadcasts'] as const) {
    const restarts = gaps.filter((gap) => gap.log === log && isRestart(gap)).length;
    if (restarts > context.history.losses.length)
      report('a loss is reported once', `${reader.name}: ${restarts} restarts of the ${log}`);
  }
  for (const { atMs, backAtMs } of reader.breaks)
    if (backAtMs - atMs > (cost.backMs ?? Number.POSITIVE_INFINITY))
      report(
        'reconnected in time',
        `${reader.name}: ${Math.round(backAtMs - atMs)} ms after its stream ended`,
      );
  const { repeats, seen } = checkOrder(reader, context);
  // A message that only a later poll delivered still counts as late.
  for (const [text, ms] of delays(reader, context.sends))
    if (ms > (cost.promptMs ?? Number.POSITIVE_INFINITY))
      report('delivered in time', `${reader.name}: ${text} arrived ${Math.round(ms)} ms late`);
  checkMissing(reader, seen, gaps, context);
  return { repeats, gaps: gaps.length };
}

/** Checks order, repeats and content in the order of arrival. Returns the ids that arrived and the number of repeats. */
function checkOrder(reader: ReaderHistory, { history, sends, report }: Context) {
  const stored = new Map([...history.stored.values()].flat().map((entry) => [entry.id, entry]));
  const seen = new Set<string>();
  const inStream = new Map<string, LogName>();
  const lastSeq = new Map<string, number>();
  let [stream, sid, repeats] = [0, '', 0];
  for (const event of reader.events) {
    if (event.stream !== stream) inStream.clear();
    stream = event.stream;
    if (event.kind === 'ready') sid = event.sid;
    if (event.kind === 'gap' && isRestart(event)) {
      for (const [id, log] of inStream) if (log === event.log) inStream.delete(id);
      for (const log of lastSeq.keys()) if (logNameOf(log) === event.log) lastSeq.delete(log);
    }
    if (!isMessage(event)) continue;
    checkContent(reader, event, sid, sends, report);
    if (inStream.has(event.id)) report('no repeat within a stream', `${reader.name}: ${event.text}`);
    inStream.set(event.id, logNameOf(logOf(event)));
    const entry = stored.get(event.id);
    if (entry && (entry.seq !== event.seq || entry.text !== event.text || logOf(entry) !== logOf(event)))
      report(
        'matches the stored message',
        `${reader.name}: ${event.text} arrived with seq ${event.seq} but is stored with ${entry.seq}`,
      );
    if (seen.has(event.id)) {
      repeats += 1;
      continue;
    }
    seen.add(event.id);
    const log = logOf(event);
    const last = lastSeq.get(log) ?? 0;
    if (event.seq <= last)
      report('in order', `${reader.name}: ${log} ${event.seq} (${event.text}) arrived after ${last}`);
    lastSeq.set(log, event.seq);
  }
  return { seen, repeats };
}

/** The delay of each message: measured from its 201, or from the `ready` of its stream if that came later. */
export function* delays(
  reader: ReaderHistory,
  sends: Map<string, Send>,
): Generator<[text: string, ms: number]> {
  let readyAtMs = 0;
  for (const event of reader.events) {
    if (event.kind === 'ready') readyAtMs = event.atMs;
    if (!isMessage(event)) continue;
    const dueAtMs = Math.max(readyAtMs, sends.get(event.text)?.endedAtMs ?? event.atMs);
    yield [event.text, Math.max(0, event.atMs - dueAtMs)];
  }
}

function checkContent(
  reader: ReaderHistory,
  event: Message,
  sid: string,
  sends: Map<string, Send>,
  report: Context['report'],
): void {
  const send = sends.get(event.text);
  const isAddressee =
    event.kind === 'broadcast' || event.to === reader.username || event.from === reader.username;
  if (!send || send.kind !== event.kind || send.from !== event.from || send.to !== event.to || !isAddressee)
    report('nothing unexpected', `${reader.name} received ${event.text} from ${event.from} to ${event.to}`);
  else if (send.sids.every((each) => each === sid))
    report('no echo', `${reader.name}: ${event.text} was sent by its own session`);
}

function checkMissing(
  reader: ReaderHistory,
  seen: Set<string>,
  gaps: GapEvent[],
  { history, sends, report }: Context,
): void {
  const { username, name } = reader;
  const isStored = new Set<string>();
  const acks = history.acks.filter((ack) => ack.username === username);
  for (const [log, entries] of history.stored) {
    const isMine = log === BROADCASTS || log.split('|').includes(username);
    for (const entry of entries) {
      isStored.add(entry.id);
      const send = sends.get(entry.text);
      if (!isMine || !send || seen.has(entry.id)) continue;
      if (entry.from === username && send.sids.some((sid) => reader.sids.includes(sid))) continue;
      if (!gaps.some((gap) => covers(gap, log, entry, send, username, acks)))
        report('nothing lost', `${name}: ${log} ${entry.seq} (${entry.text}, ${entry.id}) never arrived`);
    }
  }
  // A message that was delivered and is no longer stored was lost: this reader must get a gap afterwards.
  const checked = new Set<string>();
  const dueAtMs = history.losses.map(({ toMs }) => reportDueMs(reader, toMs));
  for (const event of reader.events) {
    if (!isMessage(event) || isStored.has(event.id) || checked.has(event.id)) continue;
    checked.add(event.id);
    const send = sends.get(event.text);
    const loss = history.losses.findIndex(
      ({ fromMs, toMs }) =>
        send && send.startedAtMs <= toMs && send.endedAtMs >= fromMs && event.atMs <= toMs,
    );
    const [from, to] = [event.atMs, dueAtMs[loss] ?? Number.POSITIVE_INFINITY];
    const wasReported = gaps.some(
      (gap) => isRestart(gap) && gap.log === logNameOf(logOf(event)) && gap.atMs >= from && gap.atMs <= to,
    );
    if (history.losses.length === 0)
      report('201 means stored', `${name} received ${event.text} (${event.id}), which is not stored`);
    else if (!wasReported)
      report('a loss is reported', `${name}: ${event.text} was lost, and no gap arrived in time`);
  }
}

/** When the gap is due: after the reader has been connected for long enough without a break since the loss. */
function reportDueMs({ events }: ReaderHistory, lossAtMs: number): number {
  let sinceMs = Number.POSITIVE_INFINITY;
  for (const { kind, atMs } of events) {
    if (kind === 'ready') sinceMs = Math.max(atMs, lossAtMs);
    if (kind !== 'end') continue;
    if (atMs - sinceMs >= REPORTED_WITHIN_MS) break;
    sinceMs = Number.POSITIVE_INFINITY;
  }
  return sinceMs + REPORTED_WITHIN_MS;
}

/** Whether a gap covers an entry that this reader did not receive. */
function covers(
  gap: GapEvent,
  log: string,
  entry: Stored,
  send: Send,
  username: string,
  acks: Ack[],
): boolean {
  if (gap.log !== logNameOf(log) || send.startedAtMs > gap.atMs) return false;
  if (gap.log === 'broadcasts') return (gap.from ?? 0) <= entry.seq && entry.seq <= (gap.to ?? 0);
  // The seq of an inbox differs from that of the conversation. After a restart the mailbox is sent again: all unacknowledged messages.
  const mayBeAcked = acks.some(({ atMs }) => atMs >= send.startedAtMs && atMs <= gap.atMs);
  return !isRestart(gap) || entry.from === username || mayBeAcked;
}
