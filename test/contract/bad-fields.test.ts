/** Values that the contract does not allow are reported by field, and change nothing. */
import { expect, test } from 'vitest';
import { person, sharedNode } from '../kit/app.ts';
import { expectProblem, send } from '../kit/http.ts';
import { everything } from '../kit/state.ts';

const theNode = sharedNode();

const WRONG_TYPES = [null, 1, true, [], ['x'], {}, { $ne: '' }];
const CONTROLS = ['\0', '\u0007', '\b', '\u000b', '\f', '\u001b', '\u007f', '\u0080', '\u0085', '\u009f'];
const SURROGATES = ['\ud800', '\udc00', '\udc00\ud800', 'x\ud83d', '\ude00x'];
const BLANK = ['', ' ', '\t', '\n', '\r\n', '\u00a0', '\u2003 \u3000', '\u2028', '\ufeff'];

const NAMES = [
  ...[
    '',
    'x'.repeat(33),
    '😀',
    '½',
    'ﷺ',
    '__proto__',
    '.alice',
    '-alice',
    '_alice',
    ' alice',
    'alice ',
    'al ice',
  ],
  ...[
    '{alice}',
    'al*ice',
    'al:ice',
    'al/ice',
    'al\\ice',
    'al|ice',
    'alice\r',
    'alice\n',
    'alice\0',
    'al\u200bice',
  ],
  ...['ⓐlice', 'al﹍ice', '℻', 'alice﹒'], // only their canonical form is allowed
  ...['al\u202eice', '\u0301alice', 'ａｌ　ｉｃｅ', '㍿'.repeat(9), ...SURROGATES, ...WRONG_TYPES],
];
const PASSWORDS = [
  ...['', '1234567', 'é'.repeat(3), 'x'.repeat(73), `${'é'.repeat(36)}x`, 'é'.repeat(37), '🔑'.repeat(19)],
  ...['x'.repeat(60_000), 'with a NUL\0', 'lone surrogate \ud83d', ...WRONG_TYPES],
];
const DISPLAY_NAMES = [
  ...BLANK,
  ...['x'.repeat(65), '😀'.repeat(65), 'two\nlines', 'two\u2028lines', 'a\ttab'],
  ...CONTROLS.map((each) => `Al${each}ice`),
  ...SURROGATES,
  ...WRONG_TYPES,
];
const TEXTS = [
  ...BLANK,
  ...['x'.repeat(4_001), '😀'.repeat(4_001)],
  ...CONTROLS.map((each) => `a${each}b`),
  ...[...SURROGATES, ...WRONG_TYPES],
];

const account = { username: 'carol', password: 'correct horse battery' };
const CASES: [string, string, { [field: string]: unknown[] }, object][] = [
  ['POST', '/v1/register', { username: NAMES, password: PASSWORDS, displayName: DISPLAY_NAMES }, account],
  [
    ...(['POST', '/v1/login'] as const),
    {
      username: ['', 'x'.repeat(257), ...WRONG_TYPES],
      password: ['', 'x'.repeat(1_025), ...WRONG_TYPES],
      device: ['x'.repeat(65), ...WRONG_TYPES],
    },
    account,
  ],
  ['POST', '/v1/refresh', { refreshToken: ['', 'x'.repeat(513), ...WRONG_TYPES] }, {}],
  ['PATCH', '/v1/me', { displayName: DISPLAY_NAMES }, {}],
  ['POST', '/v1/broadcasts', { text: TEXTS }, {}],
  ['POST', '/v1/dm/bob', { text: TEXTS }, {}],
  ['POST', '/v1/dm/alice', { text: TEXTS }, {}],
  ['POST', '/v1/mailbox/ack', { upTo: ['', 'x'.repeat(201), ...WRONG_TYPES] }, {}],
];
const ROWS = CASES.flatMap(([method, path, fields, rest]) =>
  Object.entries(fields).map(([field, values]) => [method, path, field, values, rest] as const),
);

test.each(ROWS)('%s %s rejects every invalid %s', async (method, path, field, values, rest) => {
  const node = theNode();
  const { token } = await person(node, 'alice');
  await person(node, 'bob');
  const before = await everything(node);
  for (const value of values) {
    const body = { ...rest, [field]: value };
    const answer = await send(node, method, path, { token, body });
    const context = `${JSON.stringify(value).slice(0, 100)}: ${answer.text}`;
    expect(answer.body.code, context).toBe('validation_failed');
    expectProblem(answer, 'validation_failed', `/${field}`);
    expect(answer.text, 'the message contains no regular expression').not.toContain('pattern');
    if (field === 'password' && typeof value === 'string' && value !== '')
      expect(answer.text).not.toContain(value);
  }
  expect(await everything(node)).toEqual(before);
});

test.each(ROWS.filter(([, , field]) => field !== 'displayName' && field !== 'device'))(
  '%s %s reports a missing %s',
  async (method, path, field, _, rest) => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    await person(node, 'bob');
    const body = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== field));
    expectProblem(await send(node, method, path, { token, body }), 'validation_failed', `/${field}`);
  },
);

test('lengths are counted in code points, not in UTF-16 units', async () => {
  const node = theNode();
  const { token } = await person(node, 'alice');
  const text = '😀'.repeat(4_000);
  expect((await send(node, 'POST', '/v1/broadcasts', { token, body: { text } })).status).toBe(201);
  const displayName = '😀'.repeat(64);
  expect((await send(node, 'PATCH', '/v1/me', { token, body: { displayName } })).status).toBe(200);
  const body = { ...account, username: '𠀀'.repeat(32) };
  expect((await send(node, 'POST', '/v1/register', { body })).status).toBe(201);
});
