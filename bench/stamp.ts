/** The moment of sending, inside a message's text, so that a reader finds it in raw bytes. Pure. */

const DIGITS = 16;
/** As it stands in an event: JSON and SSE leave these characters as they are. */
export const STAMP = '"text":"@';
const FILL = ' a message of about the length that people write';

/** Always the same length. */
export const stampedText = (us: number): string => `@${String(Math.floor(us)).padStart(DIGITS, '0')}${FILL}`;

/** The stamp whose marker begins at `at`; undefined if the bytes end before it does. */
export function stampAt(bytes: string, at: number): number | undefined {
  const from = at + STAMP.length;
  return from + DIGITS <= bytes.length ? Number(bytes.slice(from, from + DIGITS)) : undefined;
}
