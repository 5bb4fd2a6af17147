/** What one reader was told, held to what is stored: all of it, once, in order, nothing else, or a gap. Pure. */
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
  found: (rule: string, what: string) => void;
};
type Message = Extract<ReaderEvent, { id: string }>;
type GapEvent = Extract<ReaderEvent, { kind: 'gap' }>;

export const isMessage = (event: ReaderEvent): event is Message =>
  event.kind === 'dm' || event.kind === 'broadcast';
const logNameOf = (log: string): LogName => (log === BROADCASTS ? 'broadcasts' : 'inbox');
/** Who listens for so long is told of a loss: Redis starts, nodes are connected again and look at the logs. */
const TOLD_WITHIN_MS = 10_000;
/** The stream has begun anew: what was seen before is no longer what the log continues. */
const isRestart = (gap: Gap): boolean => gap.from === null;

export function checkReader(reader: ReaderHistory, context: Context): { repeats: number; gaps: number } {
  const { cost, found } = context;
  const gaps = reader.events.filter((event): event is GapEvent => event.kind === 'gap');
  for (const { reason, log, from, to } of gaps)
    if (!cost.gaps?.includes(reason))
      found('no false alarm', `${reader.name}: ${log} ${from}–${to}, ${reason}`);
  for (const log of ['inbox', 'broadcasts'] as const) {
    const restarts = gaps.filter((gap) => gap.log === log && isRestart(gap)).length;
    if (restarts > context.history.losses.length)
      found('a loss is told once', `${reader.name}: ${restarts} times of the ${log}`);
  }
  for (const { atMs, backAtMs } of reader.breaks)
    if (backAtMs - atMs > (cost.backMs ?? Number.POSITIVE_INFINITY))
      found('back in time', `${reader.name}: ${Math.round(backAtMs - atMs)} ms after its stream had ended`);
  const { repeats, seen } = checkOrder(reader, context);
  // That a later look at the logs would have brought it is no excuse.
  for (const [text, ms] of delays(reader, context.sends))
    if (ms > (cost.promptMs ?? Number.POSITIVE_INFINITY))
      found('in time', `${reader.name}: ${text} came ${Math.round(ms)} ms late`);
  checkMissing(reader, seen, gaps, context);
  return { repeats, gaps: gaps.length };
}

/** Order, repeats and content, in the order of arrival. Answers the ids that came, and how often some came again. */
function checkOrder(reader: ReaderHistory, { history, sends, found }: Context) {
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
    checkContent(reader, event, sid, sends, found);
    if (inStream.has(event.id)) found('no repeat within a stream', `${reader.name}: ${event.text}`);
    inStream.set(event.id, logNameOf(logOf(event)));
    const entry = stored.get(event.id);
    if (entry && (entry.seq !== event.seq || entry.text !== event.text || logOf(entry) !== logOf(event)))
      found(
        'as it is stored',
        `${reader.name}: ${event.text} came with seq ${event.seq}, stored is ${entry.seq}`,
      );
    if (seen.has(event.id)) {
      repeats += 1;
      continue;
    }
    seen.add(event.id);
    const log = logOf(event);
    const last = lastSeq.get(log) ?? 0;
    if (event.seq <= last)
      found('in order', `${reader.name}: ${log} ${event.seq} (${event.text}) came after ${last}`);
    lastSeq.set(log, event.seq);
  }
  return { seen, repeats };
}

/** How late each message came: after its 201, and after the stream was ready that brought it. */
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
  found: Context['found'],
): void {
  const send = sends.get(event.text);
  const isMeant =
    event.kind === 'broadcast' || event.to === reader.username || event.from === reader.username;
  if (!send || send.kind !== event.kind || send.from !== event.from || send.to !== event.to || !isMeant)
    found('nothing unexpected', `${reader.name} was told ${event.text} of ${event.from} to ${event.to}`);
  else if (send.sids.every((each) => each === sid))
    found('no echo', `${reader.name}: ${event.text} was sent by its own session`);
}

function checkMissing(
  reader: ReaderHistory,
  seen: Set<string>,
  gaps: GapEvent[],
  { history, sends, found }: Context,
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
        found('nothing lost', `${name}: ${log} ${entry.seq} (${entry.text}, ${entry.id}) never came`);
    }
  }
  // What came and is no longer stored was lost: then this reader must have been told afterwards.
  const told = new Set<string>();
  const dueAtMs = history.losses.map(({ toMs }) => toldBy(reader, toMs));
  for (const event of reader.events) {
    if (!isMessage(event) || isStored.has(event.id) || told.has(event.id)) continue;
    told.add(event.id);
    const send = sends.get(event.text);
    const loss = history.losses.findIndex(
      ({ fromMs, toMs }) =>
        send && send.startedAtMs <= toMs && send.endedAtMs >= fromMs && event.atMs <= toMs,
    );
    const [from, to] = [event.atMs, dueAtMs[loss] ?? Number.POSITIVE_INFINITY];
    const wasTold = gaps.some(
      (gap) => isRestart(gap) && gap.log === logNameOf(logOf(event)) && gap.atMs >= from && gap.atMs <= to,
    );
    if (history.losses.length === 0)
      found('201 means stored', `${name} was told ${event.text} (${event.id}), which is not stored`);
    else if (!wasTold) found('a loss is told', `${name}: ${event.text} was lost, and no gap came in time`);
  }
}

/** When a reader must have been told: once it has listened for long enough without a break since the loss. */
function toldBy({ events }: ReaderHistory, lossAtMs: number): number {
  let sinceMs = Number.POSITIVE_INFINITY;
  for (const { kind, atMs } of events) {
    if (kind === 'ready') sinceMs = Math.max(atMs, lossAtMs);
    if (kind !== 'end') continue;
    if (atMs - sinceMs >= TOLD_WITHIN_MS) break;
    sinceMs = Number.POSITIVE_INFINITY;
  }
  return sinceMs + TOLD_WITHIN_MS;
}

/** Whether a gap says that this reader may not have got an entry. */
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
  // The seq of an inbox is not that of the conversation. After a restart the mailbox comes again: what was not acknowledged.
  const mayBeAcked = acks.some(({ atMs }) => atMs >= send.startedAtMs && atMs <= gap.atMs);
  return !isRestart(gap) || entry.from === username || mayBeAcked;
}
