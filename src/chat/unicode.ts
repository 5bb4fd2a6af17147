/**
 * Unicode properties for the rules for names. They come from tables of one version of Unicode, not from the ICU of Node, so
 * that all nodes of a release agree. Every supported Node knows at least that version.
 */
import { CLASSES, CONFUSABLES, FOLDINGS, IGNORABLE, SOFT_DOTTED } from './unicode-tables.ts';

/** The properties of a character that usernames may contain. Category `P`: only in some contexts. */
export type Kind = {
  category: 'Ll' | 'Lo' | 'Lm' | 'Nd' | 'Mn' | 'Mc' | 'P';
  /** Script_Extensions. */
  scripts: ReadonlySet<string>;
  bidi: string;
  joining: string;
  isVirama: boolean;
};

type Range<T> = { start: number; end: number; value: T };

function* rangesOf<T>(text: string, value: T): Generator<Range<T>> {
  let end = 0;
  for (const part of text.split(' ')) {
    const [gap, length] = part.split('-') as [string, string?];
    const start = end + Number.parseInt(gap, 36);
    end = start + Number.parseInt(length ?? '1', 36);
    yield { start, end, value };
  }
}

function find<T>(ranges: Range<T>[], point: number): T | undefined {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { start, end, value } = ranges[middle]!;
    if (point < start) high = middle;
    else if (point >= end) low = middle + 1;
    else return value;
  }
  return undefined;
}

const kinds: Range<Kind>[] = CLASSES.split(';')
  .flatMap((line) => {
    const [properties, ranges] = line.split(':') as [string, string];
    const [category, scripts, bidi, joining, virama] = properties.split(' ') as [
      string,
      string,
      string,
      string,
      string,
    ];
    const kind: Kind = {
      category: category as Kind['category'],
      scripts: new Set(scripts.split('+')),
      bidi,
      joining,
      isVirama: virama === 'v',
    };
    return [...rangesOf(ranges, kind)];
  })
  .sort((one, other) => one.start - other.start);
const ignorable = [...rangesOf(IGNORABLE, true)];
const softDotted = [...rangesOf(SOFT_DOTTED, true)];

const decode = (points: string): string =>
  String.fromCodePoint(...points.split('.').map((point) => Number.parseInt(point, 16)));
const pairs = (text: string): Map<string, string> =>
  new Map(text.split(' ').map((pair) => pair.split('=').map(decode) as [string, string]));
const foldings = pairs(FOLDINGS);
const confusables = pairs(CONFUSABLES);

const replaceAll = (text: string, by: Map<string, string>): string => {
  let result = '';
  for (const character of text) result += by.get(character) ?? character;
  return result;
};

/** Undefined if no username may contain the character. */
export const kindOf = (character: string): Kind | undefined => find(kinds, character.codePointAt(0)!);
/** Whether the character is invisible (Default_Ignorable_Code_Point). */
export const isIgnorable = (character: string): boolean =>
  find(ignorable, character.codePointAt(0)!) === true;
/** Whether a combining dot above replaces the dot of the letter: `i` with U+0307 looks like `i`. */
export const isSoftDotted = (character: string): boolean =>
  find(softDotted, character.codePointAt(0)!) === true;
/** Full case folding: `ß` becomes `ss`, and `ς` becomes `σ`. Lower-casing would keep them different from `SS` and `Σ`. */
export const fold = (text: string): string => replaceAll(text, foldings);
/** Replaces each character by its prototype: the character that UTS 39 chooses for all that look the same. */
export const toPrototypes = (text: string): string => replaceAll(text, confusables);
