/**
 * The rules for usernames: PRECIS UsernameCaseMapped (RFC 8265), with case folding, and the mechanisms of UTS 39: one
 * script, no long runs of marks, and one skeleton for all names that look alike. docs/decisions/023. Pure.
 */
import { createHash } from 'node:crypto';
import { invalid } from './problems.ts';
import { fold, isIgnorable, isSoftDotted, type Kind, kindOf, lookAlikes } from './unicode.ts';

/** Increment after any change of the tables or of `skeleton`; all accounts are then read again at startup. */
export const SKELETON_VERSION = '1';

const CANONICAL_ASCII = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const MAX_LENGTH = 32;
/** The characters that a name may consist of before the rules apply. Marks belong to the letters of many scripts (हिन्दी, ไทย). */
const SENT =
  /^[\p{L}\p{N}\u06fd\u06fe](?:[\p{L}\p{M}\p{N}._\-\u00b7\u0375\u0387\u05f3\u05f4\u06fd\u06fe\u0f0b\u30fb\uff65]|\u200c|\u200d){0,31}$/u;
const RULE = 'must be 1 to 32 letters, digits, dots, dashes or underscores, the first a letter or digit';
const NON_JOINER = '\u200c';
const JOINER = '\u200d';
/** UTS 39, section 5.4. */
const MAX_MARKS = 4;
/** Scripts that may be mixed in one name (UTS 39, Highly Restrictive). */
const MIXED = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
];

type Letter = Kind & { character: string };

/**
 * The canonical form of a name. `Hud`, `HUD` and the full-width `Ｈｕｄ` are one account, and so are
 * `Straße` and `STRASSE`. Undefined if the username is not valid.
 */
export function canonicalUsername(name: string): string | undefined {
  if (CANONICAL_ASCII.test(name)) return name;
  const canonical = folded(name);
  return refusal(canonical) === undefined ? canonical : undefined;
}

/** A name to register must consist of letters as sent, not of symbols that NFKC maps to letters (㍿). */
export function newUsername(name: string): string {
  if (CANONICAL_ASCII.test(name)) return name;
  if (!SENT.test(name)) throw invalid('/username', RULE);
  const canonical = folded(name);
  const broken = refusal(canonical);
  if (broken !== undefined) throw invalid('/username', broken);
  return canonical;
}

/**
 * NFKC maps more than the widths that PRECIS wants mapped: Thai and Lao names need it (U+0E33). The loop ends: each step
 * leaves what it made alone, but for what the others make of it.
 */
function folded(name: string): string {
  let text = name;
  for (let before = ''; before !== text; ) {
    before = text;
    text = withoutDots(fold(withoutIdleJoiners(text.normalize('NFKC')))).normalize('NFKC');
  }
  return text;
}

/** Persian is typed with U+200C also behind letters that never join (امیر‌حسین), where it does and shows nothing. */
function withoutIdleJoiners(text: string): string {
  if (!text.includes(NON_JOINER)) return text;
  const characters = [...text];
  const kinds = characters.map(kindOf);
  const isIdle = (character: string, index: number) => {
    const [before, after] = neighbours(kinds, index);
    return character === NON_JOINER && before?.joining === 'R' && /[RD]/.test(after?.joining ?? '');
  };
  return characters.filter((character, index) => !isIdle(character, index)).join('');
}

/** `İ` folds to `i` with a dot above, which looks like `i`: it is one. */
function withoutDots(text: string): string {
  if (!text.includes('\u0307')) return text;
  let result = '';
  for (const character of text)
    if (character !== '\u0307' || !isSoftDotted(last(result))) result += character;
  return result;
}

const last = (text: string): string => [...text.slice(-2)].at(-1) ?? ' ';

/** Returns the first rule that a canonical form violates. */
function refusal(name: string): string | undefined {
  const characters = [...name];
  if (characters.length < 1 || characters.length > MAX_LENGTH) return RULE;
  const letters: Letter[] = [];
  for (const character of characters) {
    const kind = kindOf(character);
    if (!kind)
      return `must not contain ${inWords(character)}: letters, digits, dots, dashes and underscores only`;
    letters.push({ ...kind, character });
  }
  if (!isAlphanumeric(letters[0]!)) return 'must begin with a letter or digit';
  const misplaced = letters.find((letter, index) => !fitsThere(letters, letter, index));
  if (misplaced) return `must not have ${inWords(misplaced.character)} in this place`;
  if (!hasFewMarks(name))
    return `must not have more than ${MAX_MARKS} marks on one letter, nor one mark twice`;
  if (!isOfOneScript(letters)) return 'must not mix scripts';
  if (new Set(letters.flatMap(zeroOf)).size > 1) return 'must not mix the digits of different scripts';
  if (!isReadOneWay(letters))
    return 'must not mix directions, and must begin and end with a letter where it is written from right to left';
  return undefined;
}

const inWords = (character: string): string =>
  `U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
const isMark = ({ category }: Letter): boolean => category === 'Mn' || category === 'Mc';
const isAlphanumeric = (letter: Letter): boolean => letter.category !== 'P' && !isMark(letter);

/** Contexts of RFC 5892, appendix A; and a mark must follow a letter or digit, not punctuation. */
function fitsThere(letters: Letter[], letter: Letter, index: number): boolean {
  const [before, after] = [letters[index - 1], letters[index + 1]];
  switch (letter.character) {
    case '\u00b7': // Catalan: l·l
      return before?.character === 'l' && after?.character === 'l';
    case '\u0375':
      return after?.scripts.has('Greek') ?? false;
    case '\u05f3':
    case '\u05f4':
      return before?.scripts.has('Hebrew') ?? false;
    case '\u30fb':
      return letters.some(isJapanese);
    case JOINER:
      return before?.isVirama ?? false;
    case NON_JOINER:
      return (before?.isVirama ?? false) || isBetweenJoining(letters, index);
  }
  return !isMark(letter) || (before !== undefined && (before.category !== 'P' || isJoiner(before)));
}

const isJapanese = ({ category, scripts }: Letter): boolean =>
  category !== 'P' && MIXED[0]!.some((script) => script !== 'Latin' && scripts.has(script));
const isJoiner = ({ character }: Letter): boolean => character === NON_JOINER || character === JOINER;

/** Letters that would be written joined are seen apart: U+200C is seen there. */
function isBetweenJoining(letters: Letter[], index: number): boolean {
  const [before, after] = neighbours(letters, index);
  return /[LD]/.test(before?.joining ?? '') && /[RD]/.test(after?.joining ?? '');
}

/** The letters at both sides, as joining sees them: past the marks. */
function neighbours(
  kinds: (Kind | undefined)[],
  index: number,
): [before: Kind | undefined, after: Kind | undefined] {
  const counts = (kind: Kind | undefined) => kind?.joining !== 'T';
  return [kinds.slice(0, index).findLast(counts), kinds.slice(index + 1).find(counts)];
}

function hasFewMarks(name: string): boolean {
  let marks: string[] = [];
  for (const character of name.normalize('NFD')) {
    if (!/\p{M}/u.test(character)) marks = [];
    else if (marks.at(-1) === character || marks.length === MAX_MARKS) return false;
    else marks.push(character);
  }
  return true;
}

function isOfOneScript(letters: Letter[]): boolean {
  const written = letters.filter(({ scripts }) => !scripts.has('Common') && !scripts.has('Inherited'));
  const [first, ...rest] = written;
  if (!first) return true;
  const shared = [...first.scripts].some((script) => rest.every(({ scripts }) => scripts.has(script)));
  return (
    shared || MIXED.some((mix) => written.every(({ scripts }) => mix.some((script) => scripts.has(script))))
  );
}

/** The zero of the digit set that a character belongs to; undefined for a letter. */
function zeroOf({ category, character }: Letter): number[] {
  const point = character.codePointAt(0)!;
  return category === 'Nd' ? [point - digitValue(point)] : [];
}

/** Digits come in rows of ten, in order. */
function digitValue(point: number): number {
  let value = 0;
  while (value < 9 && kindOf(String.fromCodePoint(point - value - 1))?.category === 'Nd') value += 1;
  return value;
}

/** The Bidi rule of RFC 5893, for names with a right-to-left letter. */
function isReadOneWay(letters: Letter[]): boolean {
  const has = (...kinds: string[]) => letters.some(({ bidi }) => kinds.includes(bidi));
  if (!has('R', 'AL', 'AN')) return true;
  if (!['R', 'AL'].includes(letters[0]!.bidi) || has('L') || (has('EN') && has('AN'))) return false;
  const end = letters.findLast(({ bidi }) => bidi !== 'NSM')!;
  return ['R', 'AL', 'EN', 'AN'].includes(end.bidi);
}

/**
 * The skeleton of a name (UTS 39): names with the same skeleton look alike, and the second one is rejected. Also applies to
 * names older than the rules above. `O` counts as `o`, because names may be written in capitals.
 */
export function skeleton(name: string): string {
  let text = folded(name);
  for (let before = '', rounds = 0; before !== text && rounds < 8; rounds += 1) {
    before = text;
    const seen = [...text.normalize('NFD')].filter((character) => !isIgnorable(character)).join('');
    text = withoutDots(fold(lookAlikes(seen))).normalize('NFD');
  }
  return text;
}

/** Names a skeleton in a key, whatever it is made of. */
export const skeletonDigest = (name: string): string =>
  createHash('sha256').update(skeleton(name)).digest('base64url').slice(0, 22);

/** Marks belong to the letters of many scripts (हिन्दी, ไทย). */
const FORMER_USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,31}$/u;

/** The canonical form before these rules. Accounts created then keep it. */
export function formerUsername(name: string): string | undefined {
  const canonical = name.normalize('NFKC').toLowerCase().normalize('NFKC');
  return FORMER_USERNAME.test(canonical) ? canonical : undefined;
}

/**
 * The forms that a name may be an account's by, the first to be preferred: an account that has the former one has
 * always been meant by it, and nobody new can get it. One, but for few names.
 */
export function usernamesOf(name: string): string[] {
  if (CANONICAL_ASCII.test(name)) return [name];
  const forms = [formerUsername(name), canonicalUsername(name)];
  return [...new Set(forms.filter((form) => form !== undefined))];
}
