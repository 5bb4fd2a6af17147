/**
 * Positions and entries of a log, and how an entry is stored. lua/lib/entry.lua is the twin of this codec;
 * test/unit/store/entry-vectors.ts has the cases for both. Pure.
 */
import { EVERYONE, kindOf } from '../channels.ts';

/**
 * A position in a log. `epoch` identifies one life of the log (generated with its first entry). `mark` is the end of
 * the id of the message at `seq`: it distinguishes a log that lost its newest entries and grew again from the one that
 * was read. START is the position before the first entry.
 */
export type Position = { epoch: string; seq: number; mark: string };
export const START: Position = { epoch: '', seq: 0, mark: '' };

/**
 * `tombstone`: its message was evicted from an inbox; it keeps position and mark. `unknown`: written by a later release;
 * it is skipped.
 */
export type EntryType = 'message' | 'tombstone' | 'unknown';

export type Entry = {
  /** Position in the log that it was read from. */
  seq: number;
  type: EntryType;
  /** A UUID in base64url. */
  id: string;
  mark: string;
  /** The session that sent it, if the entry must not be echoed to that session; otherwise '-'. */
  origin: string;
  /** Username of the sender, or '-'. */
  from: string;
  /** The message as one line of JSON, sent to clients byte for byte. Empty unless this is a message. */
  message: string;
};

export const MARK_LENGTH = 6;
export const isTombstone = ({ type }: Entry): boolean => type === 'tombstone';

/** Values of base64url digits by character code. Used for every message, because Buffer is slower. */
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const VALUES = new Uint8Array(128);
for (let value = 0; value < DIGITS.length; value += 1) VALUES[DIGITS.charCodeAt(value)] = value;
const digitAt = (id: string, index: number): number => VALUES[id.charCodeAt(index)]!;

/** Epoch ms by Redis' clock: a UUID of version 7 begins with it, in 48 bits. */
export function sentAtOf({ id }: Pick<Entry, 'id'>): number {
  let ms = 0;
  for (let index = 0; index < 8; index += 1) ms = ms * 64 + digitAt(id, index);
  return ms;
}

const UUID = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/i;

/** Undefined if it is not a UUID. */
export const encodeId = (uuid: string): string | undefined =>
  UUID.test(uuid) ? Buffer.from(uuid.replaceAll('-', ''), 'hex').toString('base64url') : undefined;

/** Two characters of an id are three hexadecimal digits. */
const HEX = Array.from({ length: 64 * 64 }, (_, value) => value.toString(16).padStart(3, '0'));

export function decodeId(id: string): string {
  let hex = '';
  for (let index = 0; index < id.length; index += 2)
    hex += HEX[digitAt(id, index) * 64 + digitAt(id, index + 1)];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

/** What a sender passes to the store: everything but the position. */
export type Draft = {
  /** A UUID in base64url. */
  id: string;
  from: string;
  /** The session that sends it. */
  origin: string;
  /** Digest of account and idempotency key, or '-'. */
  key: string;
  /** The part of the message that only its sender knows, as a JSON object. */
  json: string;
};

const MINUTE_MS = 60_000;
/** The last minute that was formatted: most messages are sent in the same minute as the previous one. */
let [minute, minuteText] = [Number.NaN, ''];

/** The same as Date.toISOString(), at a fifth of its cost. */
function isoTime(ms: number): string {
  const sinceMinute = ms % MINUTE_MS;
  if (ms - sinceMinute !== minute) {
    minute = ms - sinceMinute;
    minuteText = new Date(minute).toISOString().slice(0, -'SS.mmmZ'.length);
  }
  const digits = String(sinceMinute).padStart(5, '0');
  return `${minuteText}${digits.slice(0, 2)}.${digits.slice(2)}Z`;
}

/** The message as clients see it. */
export function messageJson(
  channel: string,
  { id, from, json }: Pick<Draft, 'id' | 'from' | 'json'>,
  seq: number,
): string {
  const kind = kindOf(channel);
  if (!kind) return '';
  const to = kind.recipientOf(channel, from);
  const sentAt = isoTime(sentAtOf({ id }));
  const recipient = to === undefined ? '' : `,"to":"${to}"`;
  return `{"id":"${decodeId(id)}","kind":"${kind.message}","from":"${from}"${recipient},${json.slice(1, -1)},"sentAt":"${sentAt}","seq":${seq}}`;
}

const ENTRY = /^(\d+)([a-zA-Z]+) (\S+) (\d+) \d+ (\S+) \S+ (\S+) /;
const VERSION = '1';

/** A tombstone is the same in every version. */
function typeOf(version: string | undefined, letter: string | undefined): EntryType {
  if (letter === 't') return 'tombstone';
  return version === VERSION && letter === 'm' ? 'message' : 'unknown';
}

/** An entry of a channel's log: `1m id seq count origin key from json`. */
export function parseEntry(seq: number, raw: string, channel = EVERYONE): Entry {
  const [header = '', version, letter, id = '-', logSeq, origin = '-', from = '-'] = ENTRY.exec(raw) ?? [];
  let type = typeOf(version, letter);
  let message = '';
  if (type === 'message') {
    message = messageJson(channel, { id, from, json: raw.slice(header.length) }, Number(logSeq));
    if (!message) type = 'unknown';
  }
  return { seq, type, id, mark: id.slice(-MARK_LENGTH), origin, from, message };
}

/** An entry of an inbox: `channel received` and the entry of the channel's log. */
export function parseInboxEntry(seq: number, raw: string): Entry {
  const channel = raw.slice(0, raw.indexOf(' '));
  return parseEntry(seq, raw.slice(raw.indexOf(' ', channel.length + 1) + 1), channel);
}

export const samePosition = (a: Position, b: Position): boolean =>
  a.seq === b.seq && a.epoch === b.epoch && a.mark === b.mark;
