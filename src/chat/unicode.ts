/**
 * What the rules for names ask about a character, out of tables of one version of Unicode that every supported Node
 * knows at least: two nodes of one release never disagree, whatever ICU each was built with. Pure.
 */
import { CLASSES, CONFUSABLES, FOLDINGS, IGNORABLE, SOFT_DOTTED } from './unicode-tables.ts';

/** Of a character that may stand in a username. `P` stands for what only some contexts allow. */
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
    const [words, ranges] = line.split(':') as [string, string];
    const [category, scripts, bidi, joining, virama] = words.split(' ') as [
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

const replaced = (text: string, by: Map<string, string>): string => {
  let result = '';
  for (const character of text) result += by.get(character) ?? character;
  return result;
};

/** Undefined where the character can stand in no username. */
export const kindOf = (character: string): Kind | undefined => find(kinds, character.codePointAt(0)!);
/** Is not seen (Default_Ignorable_Code_Point). */
export const isIgnorable = (character: string): boolean =>
  find(ignorable, character.codePointAt(0)!) === true;
/** Has a dot that a dot above replaces: `i` with U+0307 looks like `i`. */
export const isSoftDotted = (character: string): boolean =>
  find(softDotted, character.codePointAt(0)!) === true;
/** Full case folding of Unicode: `ß` is `ss`, `ς` is `σ`. Not lower-casing: that keeps apart what is one upper-cased. */
export const fold = (text: string): string => replaced(text, foldings);
/** The prototypes of UTS 39 that characters look like. */
export const lookAlikes = (text: string): string => replaced(text, confusables);
