/** A small correct history, and helpers for tests to change it. */
import { BROADCASTS, type History, type ReaderEvent, type Send } from './history.ts';

export const sent = (text: string, sid: string, seq: number, to?: string): Send => ({
  ...{ text, from: 'alice', sids: [sid], outcome: 'ok', status: 201, id: `id of ${text}`, seq, unknowns: 0 },
  ...(to === undefined ? { kind: 'broadcast' } : { kind: 'dm', to }),
  ...{ startedAtMs: 100 * seq, endedAtMs: 100 * seq + 10 },
});
export const delivered = (send: Send, stream = 1): ReaderEvent & { id: string } => ({
  ...{ atMs: send.endedAtMs + 5, stream, kind: send.kind, id: send.id!, seq: send.seq!, text: send.text },
  ...{ from: send.from, ...(send.to !== undefined && { to: send.to }) },
});
export const ready = (stream: number, sid: string): ReaderEvent => ({
  ...{ atMs: 0, stream, kind: 'ready', sid, hasGap: false },
});
export const gap = (
  atMs: number,
  log: 'inbox' | 'broadcasts',
  from: number | null,
  to: number,
): ReaderEvent => ({
  ...{ atMs, stream: 1, kind: 'gap', log, from, to, reason: from === null ? 'lost' : 'trimmed' },
});

/** Alice sends three broadcasts and two direct messages; Bob reads on one device, Alice on two. */
export function good(): History {
  const casts = [1, 2, 3].map((seq) => sent(`cast${seq}`, 'alice-phone', seq));
  const dms = [1, 2].map((seq) => sent(`dm${seq}`, 'alice-phone', seq, 'bob'));
  const sends = [...casts, ...dms];
  const reader = (name: string, username: string, sid: string, events: ReaderEvent[]) => ({
    ...{ name, username, sids: [sid], events: [ready(1, sid), ...events], breaks: [] },
  });
  const all = () => sends.map((each) => delivered(each));
  return {
    sends,
    readers: [
      reader('alice/0', 'alice', 'alice-phone', []),
      reader('alice/1', 'alice', 'alice-desk', all()),
      reader('bob/0', 'bob', 'bob-phone', all()),
    ],
    acks: [{ username: 'bob', id: 'id of dm1', atMs: 900, isAccepted: true }],
    stored: new Map([
      [BROADCASTS, casts.map((each) => delivered(each) as never)],
      ['alice|bob', dms.map((each) => delivered(each) as never)],
    ]),
    mailboxes: new Map([['bob', { ids: ['id of dm2'], unread: 1 }]]),
    notes: [],
    losses: [],
  };
}

export const bob = (history: History) => history.readers[2]!.events;
export const at = (history: History, text: string) =>
  bob(history).findIndex((event) => 'text' in event && event.text === text);
export const drop = (history: History, text: string) => void bob(history).splice(at(history, text), 1);
export const storedOf = (history: History, log: string) => history.stored.get(log)!;
