/**
 * Rules for the syntax of openapi.yaml, so that tools in all languages read it alike: a YAML 1.1 parser (PyYAML,
 * SnakeYAML, libyaml) gets the same document as a YAML 1.2 parser, and every regular expression means the same in
 * ECMAScript (with and without the `u` flag), Python, Go (RE2) and Java. Each function returns the faults it found.
 */
import {
  isCollection,
  isScalar,
  type Node,
  parse,
  parseDocument,
  type Scalar,
  visit,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/** JSON literals and decimal numbers: the same in every version of YAML. */
const SAME_EVERYWHERE = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?)$/;
/** Plain scalars that some version of YAML, 1.1 or 1.2, does not read as a string. */
const NOT_TEXT_SOMEWHERE = [
  /^(?:y|n|yes|no|on|off|true|false|~|null|=|<<)$/i,
  /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[\da-f_]+)$/i,
  /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?$/i,
  /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/,
  /^(?:[-+]?\.inf|\.nan)$/i,
  /^\d{4}-\d\d?-\d\d?(?:[tT \t].*)?$/,
];
/** Line breaks of YAML 1.1 only, tabs, and characters that are not printable in YAML. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the rule searches for control characters
const STRANGE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\p{Cs}/u;

export function yamlFaults(text: string): string[] {
  const document = parseDocument(text);
  const faults = [...document.errors, ...document.warnings].map(({ message }) => message);
  if (faults.length > 0) return faults;
  const report = (node: Node, what: string) => faults.push(`line ${lineOf(text, node)}: ${what}`);
  text.split('\n').forEach((line, index) => {
    const strange = STRANGE.exec(line)?.[0].codePointAt(0);
    if (strange !== undefined)
      faults.push(`line ${index + 1}: contains U+${strange.toString(16).padStart(4, '0')}`);
  });
  const checkProperties = (node: Scalar | YAMLMap | YAMLSeq) => {
    if (node.tag !== undefined) report(node, 'tags are not allowed');
    if (!/^[\w-]*$/.test(node.anchor ?? ''))
      report(node, 'an anchor may only contain A-Z, a-z, 0-9, _ and -');
  };
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key) || typeof key.value !== 'string')
        report(key as Node, `a key must be a string: quote ${String(key)}`);
    },
    Collection: (_, node) => checkProperties(node),
    Scalar(_, node, path) {
      checkProperties(node);
      const flow = path.some((each) => isCollection(each) && each.flow === true);
      const source = text.slice(...(node.range ?? [0, 0]));
      const fault = scalarFault(node.type, source, flow);
      if (fault) report(node, fault);
    },
  });
  // Catches what the rules above do not cover.
  if (faults.length === 0 && JSON.stringify(parse(text, { version: '1.1' })) !== JSON.stringify(parse(text)))
    faults.push('YAML 1.1 reads a different document');
  return faults;
}

function scalarFault(type: Scalar['type'], source: string, flow: boolean): string | undefined {
  if (type === 'QUOTE_DOUBLE') {
    // `\/` is new in YAML 1.2, and Python reads half a surrogate pair as a separate character.
    if (/\\\/|\\ud[89a-f]/i.test(source))
      return 'in double quotes, write the character itself instead of \\/ or \\ud…';
    return;
  }
  if (type !== 'PLAIN') return;
  if (flow && /[?:]/.test(source)) return `inside [ ] and { }, quote text with ? or :: ${source}`;
  if (SAME_EVERYWHERE.test(source)) return;
  if (NOT_TEXT_SOMEWHERE.some((form) => form.test(source)))
    return `not a string in every version of YAML, quote it: ${source}`;
  return;
}

const lineOf = (text: string, node: Node): number => text.slice(0, node?.range?.[0] ?? 0).split('\n').length;

export type Pattern = { where: string; pattern: string };

/** Every regular expression in the document. */
export function patternsOf(value: unknown, where = '#'): Pattern[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]): Pattern[] => {
    const place = `${where}/${key}`;
    if (key === 'pattern' && typeof inner === 'string') return [{ where: place, pattern: inner }];
    const own = key === 'patternProperties' ? Object.keys(inner as object) : [];
    return [...own.map((pattern) => ({ where: place, pattern })), ...patternsOf(inner, place)];
  });
}

/**
 * The common subset: ASCII only. Characters stand for themselves; punctuation is escaped with a backslash, other characters
 * are written `\t` `\n` `\r` `\f` or `\xHH`. Classes `[…]` and `[^…]` of characters and ranges, with `-` escaped or last and `[`
 * escaped. Groups `(…)` and `(?:…)`, `|`, `^`, `$`, and the quantifiers `*` `+` `?` `{n}` `{n,}` `{n,m}`. Not allowed: `.` (line
 * breaks differ), `\d` `\w` `\s` `\b` (Unicode in some languages, ASCII in others), `\p{}`, lookaround, backreferences, named,
 * atomic or possessive groups, lazy quantifiers, flags, and a quantifier on a class that may match a character outside the
 * BMP, which is two characters without `u`.
 */
const ESCAPE = String.raw`\\(?:[\\^$.|?*+()[\]{}/-]|[tnrf]|x[\da-fA-F]{2})`;
const IN_CLASS = `(?:[ -,.-Z_-~]|${ESCAPE})`;
const CLASS = String.raw`\[\^?(?:${IN_CLASS}(?:-${IN_CLASS})?)+-?\]`;
const LITERAL = String.raw`[ -#%-',\-/->@-Z_-z~]`;
const QUANTIFIER = String.raw`(?:[*+?]|\{\d{1,3}(?:,(?:\d{1,3})?)?\})`;
const COMMON = new RegExp(
  String.raw`^(?:\((?:\?:)?|\)${QUANTIFIER}?|[|^$]|(?:${LITERAL}|${ESCAPE}|${CLASS})${QUANTIFIER}?)*$`,
);
const QUANTIFIED_NEGATION = new RegExp(String.raw`\[\^(?:${IN_CLASS}-?)+\](?:\?|\{)`);
/** Set operators of Java, reserved in Python. */
const SET_OPERATOR = /\[[^\]]*(?:&&|\|\||~~)/;

/** Texts on which all languages must agree. None ends with a line break, before which `$` matches in Python and Java. */
export const SAMPLES = [
  ...[
    '',
    'a',
    'Z',
    '7',
    '.',
    '-',
    '_',
    ' ',
    '\t',
    '\r',
    '\v',
    '\x00',
    '\x1f',
    '\x7f',
    '\x85',
    '\xa0',
    'é',
    'ß',
    '\u3000',
  ],
  ...[
    '٣',
    '张三',
    '𠮷',
    '👋',
    '👋🏽',
    'a👋',
    'a b',
    'a\nb',
    '-a',
    'a-',
    'a/b',
    'a[b',
    'a]b',
    'a\\b',
    'a^b',
    'हिन्दी',
    '\ufeff',
  ],
  ...[
    'Bearer',
    'bearer',
    'urn:parley:problem:not_found',
    'urn:parley:problem:',
    'lQ0vS2mB7y-T_n4c',
    'a\u0000b',
    'a\u2028b',
  ],
];

export function patternFault(pattern: string): string | undefined {
  if (!COMMON.test(pattern) || SET_OPERATOR.test(pattern)) return 'not in the common subset';
  if (QUANTIFIED_NEGATION.test(pattern)) return 'quantifies characters that count as two without the u flag';
  try {
    const [plain, unicode] = ['', 'u'].map((flags) => new RegExp(pattern, flags));
    const differs = SAMPLES.find((text) => plain!.test(text) !== unicode!.test(text));
    return differs === undefined
      ? undefined
      : `matches differently with the u flag for ${JSON.stringify(differs)}`;
  } catch (error) {
    return String(error);
  }
}

export const patternFaults = (document: unknown): string[] =>
  patternsOf(document).flatMap(({ where, pattern }) => {
    const fault = patternFault(pattern);
    return fault ? [`${where}: ${fault}: ${pattern}`] : [];
  });
