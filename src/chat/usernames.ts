/**
 * The rules for usernames: PRECIS UsernameCaseMapped (RFC 8265) with case folding, and the mechanisms of UTS 39: one script,
 * few combining marks, and the same skeleton for names that look alike. See docs/decisions/023.
 */
import { codePointOf } from './model.ts';
import { invalid } from './problems.ts';
import { sha256 } from './sha256.ts';
import { fold, isIgnorable, isSoftDotted, type Kind, kindOf, toPrototypes } from './unicode.ts';

/** Increment when the tables or `skeleton` change: nodes then reserve the skeletons of all accounts again at startup. */
export const SKELETON_VERSION = '1';

const CANONICAL_ASCII = /^[a-z0-9][a-z0-9._-]{0,31}$/;
const MAX_LENGTH = 32;
/** A name as typed. Combining marks belong to the letters of many scripts (हिन्दी, ไทย). */
const TYPED =
  /^[\p{L}\p{N}\u06fd\u06fe](?:[\p{L}\p{M}\p{N}._\-\u00b7\u0375\u0387\u05f3\u05f4\u06fd\u06fe\u0f0b\u30fb\uff65]|\u200c|\u200d){0,31}$/u;
const RULE = 'must be 1 to 32 letters, digits, dots, dashes or underscores, and begin with a letter or digit';
const NON_JOINER = '\u200c';
const JOINER = '\u200d';
/** UTS 39, section 5.4. */
const MAX_MARKS = 4;
/** Scripts that one name may mix (UTS 39, Highly Restrictive). */
const MIXABLE_SCRIPTS = [
  ['Latin', 'Han', 'Hiragana', 'Katakana'],
  ['Latin', 'Han', 'Bopomofo'],
  ['Latin', 'Han', 'Hangul'],
];

type Letter = Kind & { character: string };

/**
 * The canonical form of a name: the same for `Hud`, `HUD` and the full-width `Ｈｕｄ`, and for `Straße` and `STRASSE`.
 * Undefined if the username is not valid.
 */
export function canonicalUsername(name: string): string | undefined {
  if (CANONICAL_ASCII.test(name)) return name;
  const canonical = folded(name);
  return violationOf(canonical) === undefined ? canonical : undefined;
}

/** Returns the canonical form of a name to register. It must be typed in letters, not in symbols that NFKC maps to letters (㍿). */
export function newUsername(name: string): string {
  if (CANONICAL_ASCII.test(name)) return name;
  if (!TYPED.test(name)) throw invalid('/username', RULE);
  const canonical = folded(name);
  const violation = violationOf(canonical);
  if (violation !== undefined) throw invalid('/username', violation);
  return canonical;
}

/**
 * Applies the mappings until none changes the text. PRECIS maps widths only; NFKC maps more, which Thai and Lao names need
 * (U+0E33).
 */
function folded(name: string): string {
  let text = name;
  for (let before = ''; before !== text; ) {
    before = text;
    text = withoutDots(fold(withoutInvisibleJoiners(text.normalize('NFKC')))).normalize('NFKC');
  }
  return text;
}

/** Persian is also typed with U+200C after letters that never join (امیر‌حسین), where it is invisible. */
function withoutInvisibleJoiners(text: string): string {
  if (!text.includes(NON_JOINER)) return text;
  const characters = [...text];
  const kinds = characters.map(kindOf);
  const isInvisible = (character: string, index: number) => {
    const [before, after] = neighbors(kinds, index);
    return character === NON_JOINER && before?.joining === 'R' && /[RD]/.test(after?.joining ?? '');
  };
  return characters.filter((character, index) => !isInvisible(character, index)).join('');
}

/** `İ` folds to `i` with a dot above, which looks like `i`. */
function withoutDots(text: string): string {
  if (!text.includes('\u0307')) return text;
  let result = '';
  for (const character of text)
    if (character !== '\u0307' || !isSoftDotted(last(result))) result += character;
  return result;
}

const last = (text: string): string => [...text.slice(-2)].at(-1) ?? ' ';

/** Returns the first rule that a canonical form violates, or undefined. */
function violationOf(name: string): string | undefined {
  const characters = [...name];
  if (characters.length < 1 || characters.length > MAX_LENGTH) return RULE;
  const letters: Letter[] = [];
  for (const character of characters) {
    const kind = kindOf(character);
    if (!kind)
      return `must not contain ${codePointOf(character)}: only letters, digits, dots, dashes and underscores are allowed`;
    letters.push({ ...kind, character });
  }
  if (!isAlphanumeric(letters[0]!)) return 'must begin with a letter or digit';
  const misplaced = letters.find((letter, index) => !isAllowedAt(letters, letter, index));
  if (misplaced) return `must not contain ${codePointOf(misplaced.character)} at this position`;
  if (!hasFewMarks(name))
    return `must not have more than ${MAX_MARKS} combining marks on one letter, or the same mark twice`;
  if (!isSingleScript(letters)) return 'must not mix scripts';
  if (new Set(letters.flatMap(zeroOf)).size > 1) return 'must not mix the digits of different scripts';
  if (!followsBidiRule(letters))
    return 'must not mix left-to-right and right-to-left letters; if it is right-to-left, it must begin with a letter and end with a letter or digit';
  return undefined;
}

const isMark = ({ category }: Letter): boolean => category === 'Mn' || category === 'Mc';
const isAlphanumeric = (letter: Letter): boolean => letter.category !== 'P' && !isMark(letter);

/** The contexts of RFC 5892, appendix A. A combining mark must follow a letter or digit, not punctuation. */
function isAllowedAt(letters: Letter[], letter: Letter, index: number): boolean {
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
  category !== 'P' && MIXABLE_SCRIPTS[0]!.some((script) => script !== 'Latin' && scripts.has(script));
const isJoiner = ({ character }: Letter): boolean => character === NON_JOINER || character === JOINER;

/** Between letters that would otherwise be joined: there U+200C is visible. */
function isBetweenJoining(letters: Letter[], index: number): boolean {
  const [before, after] = neighbors(letters, index);
  return /[LD]/.test(before?.joining ?? '') && /[RD]/.test(after?.joining ?? '');
}

/** The letters on both sides, skipping marks, which are transparent to joining. */
function neighbors(
  kinds: (Kind | undefined)[],
  index: number,
): [before: Kind | undefined, after: Kind | undefined] {
  const isOpaque = (kind: Kind | undefined) => kind?.joining !== 'T';
  return [kinds.slice(0, index).findLast(isOpaque), kinds.slice(index + 1).find(isOpaque)];
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

function isSingleScript(letters: Letter[]): boolean {
  const withScript = letters.filter(({ scripts }) => !scripts.has('Common') && !scripts.has('Inherited'));
  const [first, ...rest] = withScript;
  if (!first) return true;
  const shared = [...first.scripts].some((script) => rest.every(({ scripts }) => scripts.has(script)));
  return (
    shared ||
    MIXABLE_SCRIPTS.some((mix) =>
      withScript.every(({ scripts }) => mix.some((script) => scripts.has(script))),
    )
  );
}

/** The code point of the zero of a digit's script, in an array; an empty array for a letter. */
function zeroOf({ category, character }: Letter): number[] {
  const point = character.codePointAt(0)!;
  return category === 'Nd' ? [point - digitValue(point)] : [];
}

/** The ten digits of a script are consecutive. */
function digitValue(point: number): number {
  let value = 0;
  while (value < 9 && kindOf(String.fromCodePoint(point - value - 1))?.category === 'Nd') value += 1;
  return value;
}

/** The Bidi rule of RFC 5893, for names with a right-to-left letter. */
function followsBidiRule(letters: Letter[]): boolean {
  const has = (...kinds: string[]) => letters.some(({ bidi }) => kinds.includes(bidi));
  if (!has('R', 'AL', 'AN')) return true;
  if (!['R', 'AL'].includes(letters[0]!.bidi) || has('L') || (has('EN') && has('AN'))) return false;
  const end = letters.findLast(({ bidi }) => bidi !== 'NSM')!;
  return ['R', 'AL', 'EN', 'AN'].includes(end.bidi);
}

/**
 * The skeleton of a name (UTS 39): names with the same skeleton look alike, and only one of them can be registered. Works for
 * any text, because some accounts are older than the rules above. Ignores case, because names may be written in capitals.
 */
export function skeleton(name: string): string {
  let text = folded(name);
  for (let before = '', rounds = 0; before !== text && rounds < 8; rounds += 1) {
    before = text;
    const visible = [...text.normalize('NFD')].filter((character) => !isIgnorable(character)).join('');
    text = withoutDots(fold(toPrototypes(visible))).normalize('NFD');
  }
  return text;
}

/** The skeleton in keys: of fixed length, and without special characters. */
export const skeletonDigest = (name: string): string => sha256(skeleton(name)).slice(0, 22);

const FORMER_USERNAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._-]{0,31}$/u;

/** The canonical form of the former rules, which accounts from that time keep. */
export function formerUsername(name: string): string | undefined {
  const canonical = name.normalize('NFKC').toLowerCase().normalize('NFKC');
  return FORMER_USERNAME.test(canonical) ? canonical : undefined;
}

/**
 * The usernames that a name may stand for; usually one. The first is preferred: if an account has the form of the former
 * rules, the name has always meant that account, and no new account can get it.
 */
export function usernamesOf(name: string): string[] {
  if (CANONICAL_ASCII.test(name)) return [name];
  const forms = [formerUsername(name), canonicalUsername(name)];
  return [...new Set(forms.filter((form) => form !== undefined))];
}
