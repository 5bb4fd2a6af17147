/** The send time inside a message's text, so that a reader can find it in the raw bytes. Pure. */

const DIGITS = 16;
/** The stamp as it appears in an event: JSON and SSE do not escape these characters. */
export const STAMP = '"text":"@';
const FILL = ' a message of about the length that people write';

/** The text always has the same length. */
export const stampedText = (us: number): string => `@${String(Math.floor(us)).padStart(DIGITS, '0')}${FILL}`;

/** Returns the stamp whose marker starts at `at`; undefined if it is incomplete. */
export function stampAt(bytes: string, at: number): number | undefined {
  const from = at + STAMP.length;
  return from + DIGITS <= bytes.length ? Number(bytes.slice(from, from + DIGITS)) : undefined;
}
