/** Checks that the contract reads the same in other languages, and that the rules reject spellings that would not. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { pythonFaults } from '../../scripts/contract-check.ts';
import { patternFault, patternFaults, patternsOf, yamlFaults } from '../../scripts/contract-rules.ts';
import { shapeFaults } from '../../scripts/contract-shapes.ts';

const OWN = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8');

test('the contract is the same document in YAML 1.1 and 1.2, and its patterns are in the common subset', () => {
  expect(yamlFaults(OWN)).toEqual([]);
  expect(patternsOf(parse(OWN)).length).toBeGreaterThan(5);
  expect(patternFaults(parse(OWN))).toEqual([]);
});

const PLAIN = [
  ...['yes', 'No', 'ON', 'off', 'y', 'N', 'True', 'FALSE', '~', 'Null', '=', '<<'],
  ...[
    '012',
    '0o17',
    '0x1F',
    '0b11',
    '1_000',
    '+1',
    '12:30',
    '190:20:30.15',
    '1e3',
    '1.5E3',
    '.5',
    '1.',
    '-.inf',
    '.NaN',
  ],
  ...['2026-11-23', '2026-11-23T09:14:03.481Z', '2026-1-3 09:14:03'],
];

test.each(PLAIN)('requires quotes around %s', (text) => {
  for (const where of [`a: ${text}`, `a: [${text}]`, `a: { b: ${text} }`, `- ${text}`])
    expect(yamlFaults(where), where).not.toEqual([]);
  expect(yamlFaults(`a: '${text}'`)).toEqual([]);
});

test.each([
  ['a question mark within braces', 'a: { text: Lunch at noon? }'],
  ['a question mark within brackets', 'a: [what?]'],
  ['a colon within brackets', 'a: [/v1/dm, http://x]'],
  ['a merge key', 'a: &a { b: c }\nd: { <<: *a, e: f }'],
  ['a number as a key', 'responses:\n  200: { description: ok }'],
  ['true as a key', 'true: x'],
  ['an empty key', '? \n: x'],
  ['a list as a key', '? [a]\n: x'],
  ['a duplicate key', 'a: b\na: c'],
  ['a tag', 'a: !!str 1'],
  ['an anchor with other letters', 'a: &é b'],
  ['an escape of YAML 1.2', 'a: "\\/v1"'],
  ['half a surrogate pair', 'a: "\\ud83d\\ude00"'],
  ['a tab', 'a:\tb'],
  ['a line break of YAML 1.1 only', 'a: "b\u2028c"'],
  ['another line break of YAML 1.1 only', 'a: b\u0085c'],
  ['two documents', 'a: b\n---\nc: d'],
])('rejects %s', (_, text) => expect(yamlFaults(text)).not.toEqual([]));

test('accepts text that every version of YAML reads alike', () => {
  const text =
    "a: [true, false, null, 0, -1, 4000, 1.5, text, 01a207af-1159-71f8, 'a?', \"b: c\"]\n'200': &x {}\nb: *x\nc: 0.1.0\nd: |\n  a: ?\n";
  expect(yamlFaults(text)).toEqual([]);
});

test.each([
  ...[
    '\\p{L}',
    '\\P{Cc}',
    '[\\p{L}]',
    '(?=a)',
    '(?!a)',
    '(?<=a)b',
    '(?<!a)b',
    '(?<name>a)',
    '(?P<name>a)',
    '(?>a)',
    '(?i)a',
  ],
  ...[
    'a++',
    'a*+',
    'a?+',
    'a*?',
    'a{2}+',
    '(a)\\1',
    '\\k<a>',
    '\\d',
    '\\w+',
    '\\s',
    '\\S',
    '\\b',
    '\\B',
    '\\v',
    '\\0',
    '\\cA',
  ],
  ...[
    '\\u0041',
    '\\u{41}',
    '\\x{41}',
    '\\z',
    '\\Z',
    '\\A',
    '\\Qa\\E',
    '.',
    'é',
    '[é]',
    '\t',
    '[]',
    '[]a]',
    '[^]',
    '[a[b]',
    '[[:alpha:]]',
  ],
  ...[
    '[a&&b]',
    '[a||b]',
    '[a~~b]',
    '[a--b]',
    '[a-]-b]',
    '[a-\\x20-z]',
    '[\\d-z]',
    'a{',
    '{',
    '}',
    ']',
    'a{,2}',
    'a{1001}',
    'a{2,1}',
    '*',
    'a**',
  ],
  ...['(', ')', '[a', 'a\\', '^*', '[^a]{2}', '[^a]?', '^[^a]$', '[z-a]'],
])('rejects the pattern %s', (pattern) => expect(patternFault(pattern)).toBeTypeOf('string'));

test.each([
  '',
  '^Bearer',
  '^urn:[a-z_]+$',
  '^[A-Za-z0-9_-]+$',
  '[^\\x00-\\x20]',
  '(?:a|b){2,3}c?',
  '\\.\\[\\{\\\\',
])('accepts the pattern %s', (pattern) => expect(patternFault(pattern)).toBeUndefined());

test('finds patterns anywhere in the document', () => {
  const schema = {
    properties: { pattern: { pattern: 'a' } },
    items: [{ patternProperties: { '^x': { pattern: 'b' } } }],
  };
  expect(patternsOf(schema).map(({ pattern }) => pattern)).toEqual(['a', '^x', 'b']);
});

type Schema = Record<string, unknown>;
type Parameters = { get: { parameters: object[] }; post: { parameters: object[] } };
/** The parts of the document that the tests change. */
type Document = {
  servers: object[];
  paths: Record<string, Parameters>;
  components: { schemas: Record<string, Schema & { properties: Record<string, Schema> }> };
};
const faultsAfter = (change: (document: Document) => void): string[] => {
  const document = parse(OWN);
  change(document);
  return shapeFaults(document);
};
const schemas: Record<string, Schema> = parse(OWN).components.schemas;

test('the contract works with client generators and can grow', () => {
  expect(faultsAfter(() => {})).toEqual([]);
});

test.each(Object.keys(schemas).filter((name) => schemas[name]!['properties']))(
  'requires requests to be strict and responses to be open: %s',
  (name) => {
    const faults = faultsAfter(({ components }) => {
      const schema: Schema = components.schemas[name]!;
      if (schema['additionalProperties'] === false) delete schema['additionalProperties'];
      else schema['additionalProperties'] = false;
    });
    expect(faults.join()).toContain(`#/components/schemas/${name}`);
  },
);

test.each([
  [
    'const',
    ({ components }) => Object.assign(components.schemas['Unread']!.properties['unread']!, { const: 1 }),
  ],
  [
    'a default beside a reference',
    ({ components }) =>
      Object.assign(components.schemas['Account']!.properties['username']!, { default: 'x' }),
  ],
  [
    'a pattern without a message',
    ({ components }) => delete components.schemas['RefreshRequest']!.properties['nonce']!['x-pattern-says'],
  ],
  ['a document without an absolute server URL', (document) => document.servers.pop()],
  [
    'two parameters with the same name',
    ({ paths }) => paths['/v1/events']!.get.parameters.push({ name: 'last_event_id', in: 'query' }),
  ],
  [
    'two parameters with the same name, by reference',
    ({ paths }) => paths['/v1/dm/{username}']!.post.parameters.push({ name: 'idempotencyKey', in: 'query' }),
  ],
] as [string, (document: Document) => void][])('rejects %s', (_, change) =>
  expect(faultsAfter(change)).toHaveLength(1),
);

const python = pythonFaults(OWN);

test.skipIf(python === 'no PyYAML' && !process.env['CI'])(
  'PyYAML and the regular expressions of Python read the contract alike',
  () => {
    expect(python).toEqual([]);
    expect(pythonFaults('a: off')).toHaveLength(2);
    expect(pythonFaults("a: '012'\nb: 012")).toHaveLength(2);
    expect(pythonFaults('a: { text: Lunch? }')).toEqual([expect.stringContaining("but got '?'")]);
    expect(pythonFaults("a: { pattern: '\\p{L}' }")).toEqual([expect.stringContaining('bad escape')]);
    expect(pythonFaults("a: { pattern: '\\d' }")).toEqual([
      expect.stringContaining('Python matches differently'),
    ]);
  },
);
