/**
 * The position of a stream, as the SSE `id`: inbox position ~ broadcast position, each `epoch.seq.mark` (seq in base
 * 36, mark empty if unknown), or `0` for the start of a log that had no entry yet. Opaque to clients. Pure.
 *
 * A mark is six characters, the end of an id in base64url. Cursors of earlier releases have the same four bytes as eight
 * hexadecimal digits.
 */
import { type Entry, type Position, START } from './entry.ts';
import type { LogPart } from './log-reader.ts';

export type Cursor = { inbox: Position; broadcasts: Position };

const POSITION = '0|[0-9a-z]{8}\\.[0-9a-z]{1,10}\\.(?:[0-9a-f]{8}|[\\w-]{6})?';
const OLD_MARK_LENGTH = 8;
const CURSOR = new RegExp(`^(${POSITION})~(${POSITION})$`);

export function formatPosition({ epoch, seq, mark }: Position): string {
  return seq === 0 ? '0' : `${epoch}.${seq.toString(36)}.${mark}`;
}

export function formatCursor(cursor: Cursor): string {
  return `${formatPosition(cursor.inbox)}~${formatPosition(cursor.broadcasts)}`;
}

function parsePosition(text: string): Position {
  if (text === '0') return START;
  const [epoch = '', seq = '', mark = ''] = text.split('.');
  const isOld = mark.length === OLD_MARK_LENGTH;
  return {
    epoch,
    seq: Number.parseInt(seq, 36),
    mark: isOld ? Buffer.from(mark, 'hex').toString('base64url') : mark,
  };
}

/** Undefined for anything that is not a valid cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = CURSOR.exec(text);
  return match ? { inbox: parsePosition(match[1]!), broadcasts: parsePosition(match[2]!) } : undefined;
}

export type Continuity = 'whole' | 'trimmed' | 'epoch' | 'future' | 'lost';

/**
 * Whether a log still continues from `position`. `part` must begin with the entry at `position` if the log still has
 * it. The mark is compared like the previous entry in Raft's log matching (Ongaro and Ousterhout 2014, section 5.3):
 * same epoch, same seq, same message, hence the same log up to there.
 */
export function continuity(
  position: Position,
  part: Pick<LogPart, 'first' | 'end'> & { entries: Pick<Entry, 'seq' | 'mark'>[] },
): Continuity {
  if (position.seq > 0) {
    if (position.epoch !== part.end.epoch) return 'epoch';
    if (position.seq > part.end.seq) return 'future';
    const entry = part.entries[0];
    if (position.mark && entry?.seq === position.seq && entry.mark !== position.mark) return 'lost';
  }
  return position.seq + 1 < part.first ? 'trimmed' : 'whole';
}
