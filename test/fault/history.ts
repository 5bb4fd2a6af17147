/**
 * What the clients observed during a run, as plain data: their sends and the outcomes, the events on their streams, and the
 * data stored at the end. The checker needs nothing else. Times are ms since the start of the run, on the clients' clock.
 */
export type Kind = 'broadcast' | 'dm';

/** One message to send. Its text is unique, so that it can be identified wherever it appears. */
export type Send = {
  text: string;
  kind: Kind;
  from: string;
  to?: string;
  /** Sent without an idempotency key: it is not retried and may stay unknown. */
  isKeyless?: true;
  /** The sessions that sent it; they must not receive it. */
  sids: string[];
  /** `ok`: 201. `fail`: a definite rejection. `unknown`: neither, although it was retried until the end. */
  outcome: 'ok' | 'fail' | 'unknown';
  status: number;
  id?: string;
  seq?: number;
  startedAtMs: number;
  endedAtMs: number;
  /** Number of attempts without a definite response. */
  unknowns: number;
};

export type MessageFields = { id: string; seq: number; from: string; to?: string; text: string };
export type LogName = 'inbox' | 'broadcasts';
export type Gap = { log: LogName; from: number | null; to: number | null; reason: string };
/** `stream` counts the connections of this reader. */
export type ReaderEvent = { atMs: number; stream: number } & (
  | { kind: 'ready'; sid: string; hasGap: boolean }
  | ({ kind: Kind } & MessageFields)
  | ({ kind: 'gap' } & Gap)
  | { kind: 'end' }
);
/** One device with a stream. `backAtMs` is the time of the `ready` of its next stream. */
export type ReaderHistory = {
  name: string;
  username: string;
  /** Every session that the device used. */
  sids: string[];
  events: ReaderEvent[];
  breaks: { atMs: number; backAtMs: number }[];
};

export type Stored = MessageFields & { kind: Kind };
export type Mailbox = { ids: string[]; unread: number };
/** An acknowledgement by the first device of an account, retried until it got a definite response. */
export type Ack = { username: string; id: string; atMs: number; isAccepted: boolean };

/** Data acknowledged in this period may be gone after `toMs`: a crash that lost the last second, a flush, an old copy. */
export type Loss = { fromMs: number; toMs: number };

export type Note = { rule: string; what: string };

export type History = {
  sends: Send[];
  readers: ReaderHistory[];
  acks: Ack[];
  /** By conversation (`a|b`); broadcasts under `*`. */
  stored: Map<string, Stored[]>;
  mailboxes: Map<string, Mailbox>;
  /** Violations found during the run: a late response, a 500, an unexpected error in the log. */
  notes: Note[];
  losses: Loss[];
};

export const BROADCASTS = '*';
export const conversationOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);
export const logOf = ({ from, to }: { from: string; to?: string | undefined }): string =>
  to === undefined ? BROADCASTS : conversationOf(from, to);
