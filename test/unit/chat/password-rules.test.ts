import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkNewPassword, preparePassword } from '../../../src/chat/password-rules.ts';

const problemOf = (password: string, username = 'alice') => {
  try {
    checkNewPassword(password, username);
  } catch (problem) {
    return problem;
  }
  return undefined;
};
const INVALID = { code: 'validation_failed', errors: [{ pointer: '/password' }] };

describe('password length: 8 to 72 bytes of UTF-8', () => {
  test.each([
    'xy'.repeat(4),
    'xy'.repeat(36),
    'éè'.repeat(2),
    'éè'.repeat(18),
    '字母'.repeat(12),
    '🔑🔒'.repeat(9),
  ])('accepts %j', (password) => expect(problemOf(password)).toBeUndefined());
  test.each([
    ...['', 'xy'.repeat(3), `${'xy'.repeat(36)}x`, `${'éè'.repeat(18)}x`, `${'字母'.repeat(12)}x`],
    ...[`${'🔑🔒'.repeat(9)}x`, 'with a NUL\0 inside', 'a lone surrogate \ud83d'],
  ])('rejects %j', (password) => {
    const problem = problemOf(password);
    expect(problem).toMatchObject(INVALID);
    if (password) expect(JSON.stringify(problem)).not.toContain(password);
  });
  test('measures the composed form, which is the one that is hashed', () => {
    expect(problemOf('e\u0301e\u0300'.repeat(18))).toBeUndefined();
    expect(problemOf('e\u0301e\u0300'.repeat(19))).toMatchObject(INVALID);
  });
});

describe('passwords that are easy to guess', () => {
  test.each([
    'password',
    '12345678',
    'PassWord1',
    'qwertyuiop',
    'ILOVEYOU',
    'trustno1',
    '1q2w3e4r',
    'ｐａｓｓｗｏｒｄ',
  ])('rejects the common password %j', (password) =>
    expect(problemOf(password)).toMatchObject({ ...INVALID, message: expect.stringMatching(/common/) }),
  );
  test.each([
    'aaaaaaaa',
    '11111111',
    'AaAaAaAa',
    '🔑🔑🔑',
    '        ',
    '\u3000\u3000\u3000',
    '\u00a0 \u00a0 \u2003 ',
    '\t\t\t\t\t\t\t\t',
    '\u200b\u200b\u200b',
    '\u3164\u3164\u3164',
  ])('rejects %j, which is blank or one repeated character', (password) =>
    expect(problemOf(password)).toMatchObject(INVALID),
  );
  test.each([
    ['wonderland', 'wonderland'],
    ['WonderLand', 'wonderland'],
    ['wonderland ', 'wonderland'],
    ['dnalrednow', 'wonderland'],
    ['alicealice', 'alice'],
    ['Alice Alice', 'alice'],
    ['ＷＯＮＤＥＲＬＡＮＤ', 'wonderland'],
    ['张三李四', '张三李四'],
  ])('rejects %j for the username %j', (password, username) =>
    expect(problemOf(password, username)).toMatchObject({
      ...INVALID,
      message: expect.stringMatching(/username/),
    }),
  );
  test.each([
    'correct horse battery',
    'alice in wonderland',
    'password of my own',
    `${'a'.repeat(7)}b`,
    'пароль\u202e\n',
    '   x    ',
  ])('accepts %j', (password) => expect(problemOf(password)).toBeUndefined());
});

test('the list of common passwords has 3,000 unique valid entries and names its source', () => {
  const lines = readFileSync(new URL('../../../src/chat/common-passwords.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
  const entries = lines.filter((line) => !line.startsWith('#'));
  expect(new Set(entries).size).toBe(3_000);
  for (const entry of entries) {
    expect(entry).toBe(entry.normalize('NFKC').toLowerCase());
    expect(Buffer.byteLength(entry)).toBeGreaterThanOrEqual(8);
  }
  expect(lines.slice(0, 5).join('\n')).toMatch(/zxcvbn[\s\S]*MIT/);
});

test('prepares passwords according to RFC 8265: composes letters and maps spaces to U+0020', () => {
  expect(preparePassword('e\u0301\u00a0\u3000x')).toBe('é  x');
  expect(preparePassword('ｆｕｌｌ')).toBe('ｆｕｌｌ');
});
