import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalUsername, checkDisplayName, checkPassword, checkText } from '../../src/chat/model.ts';

describe('a username is known by one form', () => {
  test.each([
    ['Hud', 'hud'],
    ['ＨＵＤ', 'hud'],
    ['ａｂｃ', 'abc'],
    ['e\u0301mile', 'émile'],
    ['ÉMILE', 'émile'],
    ['ﬁn', 'fin'],
    ['Ⅷ', 'viii'],
    ['①', '1'],
    ['\u212Aelvin', 'kelvin'],
    ['İzmir', 'i\u0307zmir'],
    ['张三', '张三'],
    ['हिन्दी', 'हिन्दी'],
    ['ไทย', 'ไทย'],
    ['a.b_c-d', 'a.b_c-d'],
    ['constructor', 'constructor'],
    ['7', '7'],
    ['x'.repeat(32), 'x'.repeat(32)],
    ['𝒜'.repeat(32), 'a'.repeat(32)],
  ])('%j is %j', (name, canonical) => expect(canonicalUsername(name)).toBe(canonical));

  test('whatever the name, its form has that same form, also when the name came decomposed', () => {
    const point = fc.integer({ min: 0, max: 0x10ffff }).map((code) => String.fromCodePoint(code));
    const unit = fc.oneof(
      fc.constantFrom(...'aZ9éİßﬁΣ한ไ\u0301\u0307ー'),
      point.filter((each) => /[\p{L}\p{M}\p{N}]/u.test(each)),
    );
    fc.assert(
      fc.property(fc.string({ unit, minLength: 1, maxLength: 12 }), (name) => {
        const canonical = canonicalUsername(`x${name}`);
        fc.pre(canonical !== undefined);
        expect(canonicalUsername(canonical!)).toBe(canonical);
        expect(canonicalUsername(`x${name}`.normalize('NFD'))).toBe(canonical);
      }),
    );
  });

  test('no character of Unicode has a form that changes when it is taken again', () => {
    const unstable = [];
    for (let point = 0; point <= 0x10ffff; point += 1) {
      const canonical = canonicalUsername(`a${String.fromCodePoint(point)}`);
      if (canonical && canonicalUsername(canonical) !== canonical) unstable.push(point);
    }
    expect(unstable).toEqual([]);
  });
});

describe('what cannot be a username', () => {
  const names = ['', 'x'.repeat(33), '.dot', '-dash', '_underscore', '__proto__', '\u0301accent', '½', 'ﷺ'];
  const inside = [
    ...'{}*:/\\|@#?%&"\'<>,;~^`+=$!()[] \t\r\n\0',
    '\u00a0',
    '\u200b',
    '\u202e',
    '\ud800',
    '😀',
  ];
  test.each(names)('%j', (name) => expect(canonicalUsername(name)).toBeUndefined());
  test.each(inside)('a name with %j in it, before it or behind it', (character) => {
    for (const name of [`al${character}ice`, `${character}alice`, `alice${character}`])
      expect(canonicalUsername(name)).toBeUndefined();
  });
});

const refusal = (check: () => void) => {
  try {
    check();
  } catch (problem) {
    return problem;
  }
  return 'accepted';
};
const refusedAt = (pointer: string) => ({ code: 'validation_failed', errors: [{ pointer }] });

describe('a password has 8 to 72 bytes of UTF-8', () => {
  test.each(['x'.repeat(8), 'x'.repeat(72), 'é'.repeat(4), 'é'.repeat(36), '字'.repeat(24), '🔑'.repeat(18)])(
    '%j is accepted',
    (password) => expect(refusal(() => checkPassword(password))).toBe('accepted'),
  );
  test.each([
    ...[
      '',
      'x'.repeat(7),
      'x'.repeat(73),
      `${'é'.repeat(36)}x`,
      `${'字'.repeat(24)}x`,
      `${'🔑'.repeat(18)}x`,
    ],
    ...['with a NUL\0 inside', 'half a pair \ud83d'],
  ])('%j is refused', (password) => {
    const problem = refusal(() => checkPassword(password));
    expect(problem).toMatchObject(refusedAt('/password'));
    if (password) expect(JSON.stringify(problem)).not.toContain(password);
  });
});

describe('a text', () => {
  test.each([
    'tab\t, LF\n, CR\r, CRLF\r\n',
    '\u2028 and \u2029',
    '👩‍👩‍👧',
    'مرحبا \u202e',
    'a\ufeff',
    '\u200b',
    'e\u0301',
  ])('may hold %j', (text) => expect(refusal(() => checkText('/text', text))).toBe('accepted'));
  test.each(['', ' ', '\t\r\n', '\u00a0', '\u3000', '\ufeff'])('must hold more than %j', (text) =>
    expect(refusal(() => checkText('/text', text))).toMatchObject(refusedAt('/text')),
  );
  test.each([
    ['\0', 'U+0000'],
    ['\u0007', 'U+0007'],
    ['\u000b', 'U+000B'],
    ['\u001b[31m', 'U+001B'],
    ['\u007f', 'U+007F'],
    ['\u0085', 'U+0085'],
    ['\ud800', 'U+D800'],
    ['\udfff', 'U+DFFF'],
    ['\udc00\ud800', 'U+DC00'],
  ])('must not hold %j, and is told that it was %s', (text, named) => {
    const problem = refusal(() => checkText('/text', `before ${text} after`));
    expect(problem).toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/text', message: expect.stringContaining(named) }],
    });
  });
});

test.each(['\n', '\r', '\t', '\u2028', '\u2029', '\0', '\ud800'])(
  'a display name must not hold %j',
  (character) =>
    expect(refusal(() => checkDisplayName(`Al${character}ice`))).toMatchObject(refusedAt('/displayName')),
);
