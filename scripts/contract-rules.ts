/**
 * What openapi.yaml may be written like, so that tools in other languages read it as we do: a YAML 1.1 reader (PyYAML,
 * SnakeYAML, libyaml) gets the same document as a YAML 1.2 reader, and every regular expression means the same in
 * ECMAScript (with and without the `u` flag), Python, Go (RE2) and Java. Each function answers with the faults it found.
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

/** JSON's own words and decimal numbers: the same in every YAML. */
const SAME_EVERYWHERE = /^(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?)$/;
/** What some YAML, 1.1 or 1.2, takes for something else than text. */
const NOT_TEXT_SOMEWHERE = [
  /^(?:y|n|yes|no|on|off|true|false|~|null|=|<<)$/i,
  /^[-+]?(?:0b[01_]+|0o[0-7_]+|0x[\da-f_]+)$/i,
  /^[-+]?(?:\d[\d_]*(?:\.[\d_]*)?|\.\d[\d_]*)(?:e[-+]?\d+)?$/i,
  /^[-+]?\d[\d_]*(?::[0-5]?\d)+(?:\.[\d_]*)?$/,
  /^(?:[-+]?\.inf|\.nan)$/i,
  /^\d{4}-\d\d?-\d\d?(?:[tT \t].*)?$/,
];
/** Line ends of YAML 1.1 only, tabs, and what YAML does not call printable. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const STRANGE = /[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\p{Cs}/u;

export function yamlFaults(text: string): string[] {
  const document = parseDocument(text);
  const faults = [...document.errors, ...document.warnings].map(({ message }) => message);
  if (faults.length > 0) return faults;
  const report = (node: Node, what: string) => faults.push(`line ${lineOf(text, node)}: ${what}`);
  text.split('\n').forEach((line, index) => {
    const strange = STRANGE.exec(line)?.[0].codePointAt(0);
    if (strange !== undefined)
      faults.push(`line ${index + 1}: holds U+${strange.toString(16).padStart(4, '0')}`);
  });
  const checkProperties = (node: Scalar | YAMLMap | YAMLSeq) => {
    if (node.tag !== undefined) report(node, 'no tags');
    if (!/^[\w-]*$/.test(node.anchor ?? '')) report(node, 'anchors of A-Z a-z 0-9 _ - only');
  };
  visit(document, {
    Pair(_, { key }) {
      if (!isScalar(key) || typeof key.value !== 'string')
        report(key as Node, `a key must be text: quote ${String(key)}`);
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
  // Besides, whatever the rules above have forgotten.
  if (faults.length === 0 && JSON.stringify(parse(text, { version: '1.1' })) !== JSON.stringify(parse(text)))
    faults.push('read as YAML 1.1 it is another document');
  return faults;
}

function scalarFault(type: Scalar['type'], source: string, flow: boolean): string | undefined {
  if (type === 'QUOTE_DOUBLE') {
    // `\/` is new in YAML 1.2, and half a surrogate pair is a character of its own in Python.
    if (/\\\/|\\ud[89a-f]/i.test(source))
      return 'write characters themselves in double quotes, not \\/ or \\ud…';
    return;
  }
  if (type !== 'PLAIN') return;
  if (flow && /[?:]/.test(source)) return `in [ ] and { } text with ? or : must be quoted: ${source}`;
  if (SAME_EVERYWHERE.test(source)) return;
  if (NOT_TEXT_SOMEWHERE.some((form) => form.test(source)))
    return `not text in every YAML, quote it: ${source}`;
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
 * The common subset, in words: ASCII only. Characters stand for themselves; punctuation is escaped by a backslash, others are
 * `\t` `\n` `\r` `\f` or `\xHH`. Classes `[…]` and `[^…]` of characters and ranges, `-` escaped or last, `[` escaped. Groups
 * `(…)` and `(?:…)`, `|`, `^`, `$`, and the counts `*` `+` `?` `{n}` `{n,}` `{n,m}`. Nothing else: no `.` (line ends differ), no
 * `\d` `\w` `\s` `\b` (Unicode in one language, ASCII in the next), no `\p{}`, look-around, back-reference, named, atomic or
 * possessive group, lazy count, flag. And no count on what may be a character outside of the BMP, which is two without `u`.
 */
const ESCAPE = String.raw`\\(?:[\\^$.|?*+()[\]{}/-]|[tnrf]|x[\da-fA-F]{2})`;
const IN_CLASS = `(?:[ -,.-Z_-~]|${ESCAPE})`;
const CLASS = String.raw`\[\^?(?:${IN_CLASS}(?:-${IN_CLASS})?)+-?\]`;
const LITERAL = String.raw`[ -#%-',\-/->@-Z_-z~]`;
const TIMES = String.raw`(?:[*+?]|\{\d{1,3}(?:,(?:\d{1,3})?)?\})`;
const COMMON = new RegExp(
  String.raw`^(?:\((?:\?:)?|\)${TIMES}?|[|^$]|(?:${LITERAL}|${ESCAPE}|${CLASS})${TIMES}?)*$`,
);
const COUNTED = new RegExp(String.raw`\[\^(?:${IN_CLASS}-?)+\](?:\?|\{)`);
/** Set operators of Java, and of Python to come. */
const SET_OPERATOR = /\[[^\]]*(?:&&|\|\||~~)/;

/** Texts on which all languages must agree. None ends with a line end: there `$` matches before it in Python and Java. */
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
  if (!COMMON.test(pattern) || SET_OPERATOR.test(pattern)) return 'not of the common subset';
  if (COUNTED.test(pattern)) return 'counts characters that are two without the u flag';
  try {
    const [plain, unicode] = ['', 'u'].map((flags) => new RegExp(pattern, flags));
    const differs = SAMPLES.find((text) => plain!.test(text) !== unicode!.test(text));
    return differs === undefined
      ? undefined
      : `another answer with the u flag for ${JSON.stringify(differs)}`;
  } catch (error) {
    return String(error);
  }
}

export const patternFaults = (document: unknown): string[] =>
  patternsOf(document).flatMap(({ where, pattern }) => {
    const fault = patternFault(pattern);
    return fault ? [`${where}: ${fault}: ${pattern}`] : [];
  });
