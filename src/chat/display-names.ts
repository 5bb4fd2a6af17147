/**
 * The rules for display names: one readable line that does not affect the text around it. Spaces are mapped according to
 * the PRECIS Nickname profile (RFC 8266); everything else is returned as sent. See docs/decisions/023.
 */
import stringWidth from 'fast-string-width';
import { checkText, codePointOf } from './model.ts';
import { invalid } from './problems.ts';
import { kindOf } from './unicode.ts';

/** In terminal cells; 64 Chinese characters. */
const MAX_WIDTH = 128;
/** More than 4 combining marks (UTS 39, section 5.4). */
const MANY_MARKS = /\p{M}{5}/u;
/** Characters that look like spaces. Unicode classifies two as symbols: BRAILLE PATTERN BLANK and a null notehead. */
const BLANK = /[\p{Zs}\u2800\u{1d159}]/gu;
/** Characters that are wider than the width tables say: ligatures of whole sentences, long dashes, cuneiform. */
const WIDE = /[\ufdf0-\ufdfd\u2e3a\u2e3b\u{12000}-\u{1254f}]/gu;
const WIDE_CELLS = 8;

/** An emoji with variation selectors, skin tones and parts joined by U+200D; a flag made of tags; or a keycap. */
const EMOJI_PART = '\\p{Extended_Pictographic}(?:[\\ufe0e\\ufe0f]|\\p{Emoji_Modifier})?';
const EMOJI = new RegExp(
  `\\u{1f3f4}[\\u{e0030}-\\u{e0039}\\u{e0061}-\\u{e007a}]{3,6}\\u{e007f}|[0-9#*]\\ufe0f\\u20e3|${EMOJI_PART}(?:\\u200d${EMOJI_PART})*`,
  'gu',
);
/** A variation selector after an ideograph (辻󠄀) or a Mongolian letter. */
const VARIANT =
  /(\p{Unified_Ideograph})[\ufe00-\ufe02\u{e0100}-\u{e01ef}]|(\p{Script=Mongolian})[\u180b-\u180f]/gu;
const HIDDEN = /[\p{Default_Ignorable_Code_Point}\p{Bidi_Control}\ufff9-\ufffb]/u;

/** Returns the name to store: trimmed, with single spaces. Throws a problem if the name is not valid. */
export function displayNameOf(input: string): string {
  checkText('/displayName', input);
  if (/[\t\n\r\u2028\u2029]/.test(input)) throw invalidName('must be one line');
  const name = input.replace(BLANK, ' ').replace(/ {2,}/g, ' ').replace(/^ | $/g, '');
  if (name === '') throw invalidName('must not be blank');
  const hidden = HIDDEN.exec(withoutJoiners(name.replace(EMOJI, '☺').replace(VARIANT, '$1$2')))?.[0];
  if (hidden !== undefined)
    throw invalidName(`must not contain ${codePointOf(hidden)}, which is invisible here`);
  if (/^\p{M}/u.test(name)) throw invalidName('must not begin with a combining mark');
  if (MANY_MARKS.test(name.normalize('NFD')))
    throw invalidName('must not have more than 4 combining marks on one letter');
  if (widthOf(name) > MAX_WIDTH) throw invalidName(`must not be wider than ${MAX_WIDTH} Latin letters`);
  return name;
}

const invalidName = (message: string) => invalid('/displayName', message);
const widthOf = (name: string): number =>
  stringWidth(name) + (name.match(WIDE)?.length ?? 0) * (WIDE_CELLS - 1);

/** Removes the joiners that a script requires: U+200C and U+200D after a virama, and U+200C between joining letters. */
function withoutJoiners(name: string): string {
  const characters = [...name];
  const joins = (index: number, step: 1 | -1): boolean => {
    const kind = kindOf(characters[index] ?? ' ');
    return kind?.joining === 'T' ? joins(index + step, step) : /[DLR]/.test(kind?.joining ?? '');
  };
  const isNeeded = (character: string, index: number): boolean =>
    (/[\u200c\u200d]/.test(character) && kindOf(characters[index - 1] ?? ' ')?.isVirama === true) ||
    (character === '\u200c' && joins(index - 1, -1) && joins(index + 1, 1));
  return characters.filter((character, index) => !isNeeded(character, index)).join('');
}
