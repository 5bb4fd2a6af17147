/**
 * What clients saw of a run, as plain data: what they sent and how it ended, what their streams told them, and what is
 * stored at the end. The checker needs nothing else. Times are ms since the run began, by the clock of the clients.
 */
export type Kind = 'broadcast' | 'dm';

/** One message that somebody wanted to send. Its text is its own, so that it is known again wherever it turns up. */
export type Send = {
  text: string;
  kind: Kind;
  from: string;
  to?: string;
  /** Sent without a key: it is not repeated, and may stay unknown. */
  isKeyless?: true;
  /** The sessions that tried: a session gets no echo of its own. */
  sids: string[];
  /** `ok`: 201. `fail`: a definite no. `unknown`: still neither, though it was repeated to the end. */
  outcome: 'ok' | 'fail' | 'unknown';
  status: number;
  id?: string;
  seq?: number;
  startedAtMs: number;
  endedAtMs: number;
  /** How many attempts ended without an answer that says what happened. */
  unknowns: number;
};

export type Told = { id: string; seq: number; from: string; to?: string; text: string };
export type LogName = 'inbox' | 'broadcasts';
export type Gap = { log: LogName; from: number | null; to: number | null; reason: string };
/** `stream` counts the connections of this reader. */
export type ReaderEvent = { atMs: number; stream: number } & (
  | { kind: 'ready'; sid: string; hasGap: boolean }
  | ({ kind: Kind } & Told)
  | ({ kind: 'gap' } & Gap)
  | { kind: 'end' }
);
/** One device that listens. `backAtMs` is when its next stream was ready. */
export type ReaderHistory = {
  name: string;
  username: string;
  /** Every session that it listened with. */
  sids: string[];
  events: ReaderEvent[];
  breaks: { atMs: number; backAtMs: number }[];
};

export type Stored = Told & { kind: Kind };
export type Mailbox = { ids: string[]; unread: number };
/** Acknowledged by the account's first device, after it had received it; repeated until it was known to be taken. */
export type Ack = { username: string; id: string; atMs: number; isTaken: boolean };

/** What was answered in between may be gone since `toMs`: a crash without the last second, a flush, an old copy. */
export type Loss = { fromMs: number; toMs: number };

export type Note = { rule: string; what: string };

export type History = {
  sends: Send[];
  readers: ReaderHistory[];
  acks: Ack[];
  /** By conversation (`a|b`); the broadcasts are under `*`. */
  stored: Map<string, Stored[]>;
  mailboxes: Map<string, Mailbox>;
  /** Faults of the servers that need no comparison: an answer that came too late, a 500, a bug in the log. */
  notes: Note[];
  losses: Loss[];
};

export const BROADCASTS = '*';
export const conversationOf = (a: string, b: string): string => (a < b ? `${a}|${b}` : `${b}|${a}`);
export const logOf = ({ from, to }: { from: string; to?: string | undefined }): string =>
  to === undefined ? BROADCASTS : conversationOf(from, to);
