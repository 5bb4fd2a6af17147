/** Positions and entries of a log. See lua/lib/log.lua for how they are stored. Pure. */

/**
 * A position in a log. `epoch` identifies one life of the log (generated with its first entry). `mark` is the end of
 * the id of the message at `seq`: it distinguishes a log that lost its newest entries and grew again from the one that
 * was read. START is the position before the first entry.
 */
export type Position = { epoch: string; seq: number; mark: string };
export const START: Position = { epoch: '', seq: 0, mark: '' };

export type Entry = {
  seq: number;
  /** The session that sent it, if the entry must not be echoed to that session; otherwise '-'. */
  origin: string;
  /** The message as one line of JSON, sent to clients byte for byte. */
  message: string;
};

/** `{"id":"` and a UUID: where the id, and its last eight characters, stand in a message's JSON. */
const ID_AT = 7;
const ID_LENGTH = 36;

export const idOf = (message: string): string => message.slice(ID_AT, ID_AT + ID_LENGTH);
export const markOf = (message: string): string => message.slice(ID_AT + ID_LENGTH - 8, ID_AT + ID_LENGTH);

/** Epoch ms by Redis' clock: a UUID of version 7 begins with it. */
export const sentAtOf = (message: string): number =>
  Number.parseInt(message.slice(ID_AT, ID_AT + 8) + message.slice(ID_AT + 9, ID_AT + 13), 16);

/** An entry whose message was evicted from an inbox: it keeps its position, its id and its mark. */
export const isTombstone = ({ origin }: Entry): boolean => origin === '!';

export function parseEntry(seq: number, raw: string): Entry {
  const note = raw.indexOf(' ') + 1;
  return { seq, origin: raw.slice(0, note - 1), message: raw.slice(raw.indexOf(' ', note) + 1) };
}

export const samePosition = (a: Position, b: Position): boolean =>
  a.seq === b.seq && a.epoch === b.epoch && a.mark === b.mark;
