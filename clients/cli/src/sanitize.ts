/**
 * Makes untrusted text safe for a terminal. No control character reaches it, so text cannot move the cursor, change the
 * title or fake input. Control characters are replaced by visible symbols (␛), so that the user sees them. Bidirectional
 * control marks are removed: they could reorder the rest of the line.
 */

/** C0, DEL, C1 (0x9B starts a sequence like ESC [ does), and bidirectional control marks. */
const UNSAFE = /[\p{Cc}\p{Bidi_Control}]/gu;
const CONTROL_PICTURES = 0x2400;

function replacementFor(character: string): string {
  const code = character.codePointAt(0)!;
  if (character === '\n') return '\n';
  if (character === '\t') return '    ';
  if (code < 0x20) return String.fromCodePoint(CONTROL_PICTURES + code);
  if (code === 0x7f) return '␡';
  return code < 0xa0 ? '�' : '';
}

/** Keeps line breaks. A value that is not a string, from a hostile server, is converted to one. */
export const sanitize = (text: string): string =>
  String(text)
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(UNSAFE, replacementFor);

export const sanitizeLine = (text: string): string => sanitize(text).replaceAll('\n', ' ');

/** One line of JSON that escapes everything `sanitize` replaces; JSON.stringify escapes only controls below 0x20. */
export const escapeJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
