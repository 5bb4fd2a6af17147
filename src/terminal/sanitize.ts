/**
 * What others wrote, made harmless for a terminal: no control character reaches it, so nothing can move the cursor,
 * change the title, or pretend to be typed. Controls are shown (␛), not dropped: one sees that something was there.
 * Marks that turn the direction of what follows are dropped: they could turn our own line around.
 */

/** C0 but tab and line feed, DEL, C1 (0x9B begins a sequence as ESC [ does), and the turning marks. */
const HARMFUL = /[\p{Cc}\p{Bidi_Control}]/gu;
const PICTURES_AT = 0x2400;

function shown(character: string): string {
  const code = character.codePointAt(0)!;
  if (character === '\n') return '\n';
  if (character === '\t') return '    ';
  if (code < 0x20) return String.fromCodePoint(PICTURES_AT + code);
  if (code === 0x7f) return '␡';
  return code < 0xa0 ? '�' : '';
}

/** Keeps line breaks. What should be a text and is none is shown as one. */
export const sanitize = (text: string): string =>
  String(text)
    .replace(/\r\n?|[\u2028\u2029]/g, '\n')
    .replace(HARMFUL, shown);

export const sanitizeLine = (text: string): string => sanitize(text).replaceAll('\n', ' ');

/** One line of JSON, with everything escaped that `harmless` changes; JSON itself escapes only the controls below 0x20. */
export const escapeJson = (value: unknown): string =>
  JSON.stringify(value).replace(
    /[\u007f-\u009f\u2028\u2029\p{Bidi_Control}]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
