import { describe, expect, test } from 'vitest';
import { checkText } from '../../src/chat/model.ts';

const refusal = (check: () => void) => {
  try {
    check();
  } catch (problem) {
    return problem;
  }
  return 'accepted';
};
const refusedAt = (pointer: string) => ({ code: 'validation_failed', errors: [{ pointer }] });

describe('checkText', () => {
  test.each([
    'tab\t, LF\n, CR\r, CRLF\r\n',
    '\u2028 and \u2029',
    '👩‍👩‍👧',
    'مرحبا \u202e',
    'a\ufeff',
    '\u200b',
    'e\u0301',
  ])('accepts %j', (text) => expect(refusal(() => checkText('/text', text))).toBe('accepted'));
  test.each(['', ' ', '\t\r\n', '\u00a0', '\u3000', '\ufeff'])('rejects the blank text %j', (text) =>
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
  ])('rejects %j and reports it as %s', (text, named) => {
    const problem = refusal(() => checkText('/text', `before ${text} after`));
    expect(problem).toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/text', message: expect.stringContaining(named) }],
    });
  });
});
