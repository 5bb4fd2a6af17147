import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkNewPassword, preparePassword } from '../../src/chat/password-rules.ts';

const refusal = (password: string, username = 'alice') => {
  try {
    checkNewPassword(password, username);
  } catch (problem) {
    return problem;
  }
  return 'accepted';
};
const refused = { code: 'validation_failed', errors: [{ pointer: '/password' }] };

describe('a password has 8 to 72 bytes of UTF-8', () => {
  test.each([
    'xy'.repeat(4),
    'xy'.repeat(36),
    'éè'.repeat(2),
    'éè'.repeat(18),
    '字母'.repeat(12),
    '🔑🔒'.repeat(9),
  ])('%j is accepted', (password) => expect(refusal(password)).toBe('accepted'));
  test.each([
    ...['', 'xy'.repeat(3), `${'xy'.repeat(36)}x`, `${'éè'.repeat(18)}x`, `${'字母'.repeat(12)}x`],
    ...[`${'🔑🔒'.repeat(9)}x`, 'with a NUL\0 inside', 'half a pair \ud83d'],
  ])('%j is refused', (password) => {
    const problem = refusal(password);
    expect(problem).toMatchObject(refused);
    if (password) expect(JSON.stringify(problem)).not.toContain(password);
  });
  test('as it is hashed: composed', () => {
    expect(refusal('e\u0301e\u0300'.repeat(18))).toBe('accepted');
    expect(refusal('e\u0301e\u0300'.repeat(19))).toMatchObject(refused);
  });
});

describe('what is tried first is refused', () => {
  test.each([
    'password',
    '12345678',
    'PassWord1',
    'qwertyuiop',
    'ILOVEYOU',
    'trustno1',
    '1q2w3e4r',
    'ｐａｓｓｗｏｒｄ',
  ])('%j is among the most common', (password) =>
    expect(refusal(password)).toMatchObject({ ...refused, message: expect.stringMatching(/common/) }),
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
  ])('%j is one character, or blank', (password) => expect(refusal(password)).toMatchObject(refused));
  test.each([
    ['wonderland', 'wonderland'],
    ['WonderLand', 'wonderland'],
    ['wonderland ', 'wonderland'],
    ['dnalrednow', 'wonderland'],
    ['alicealice', 'alice'],
    ['Alice Alice', 'alice'],
    ['ＷＯＮＤＥＲＬＡＮＤ', 'wonderland'],
    ['张三李四', '张三李四'],
  ])('%j is the username %j', (password, username) =>
    expect(refusal(password, username)).toMatchObject({
      ...refused,
      message: expect.stringMatching(/username/),
    }),
  );
  test.each([
    'correct horse battery',
    'alice in wonderland',
    'password of my own',
    'a'.repeat(7) + 'b',
    'пароль\u202e\n',
    '   x    ',
  ])('%j is accepted', (password) => expect(refusal(password)).toBe('accepted'));
});

test('the list has 3,000 entries that a password could be, each once, and says where it is from', () => {
  const lines = readFileSync(new URL('../../src/chat/common-passwords.txt', import.meta.url), 'utf8')
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

test('a password is prepared as RFC 8265 says: composed, and every space is the common one', () => {
  expect(preparePassword('e\u0301\u00a0\u3000x')).toBe('é  x');
  expect(preparePassword('ｆｕｌｌ')).toBe('ｆｕｌｌ');
});
