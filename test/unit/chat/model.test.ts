import { describe, expect, test } from 'vitest';
import { checkText } from '../../../src/chat/model.ts';

const problemOf = (text: string) => {
  try {
    checkText('/text', text);
  } catch (problem) {
    return problem;
  }
  return undefined;
};

describe('checkText', () => {
  test.each([
    'tab\t, LF\n, CR\r, CRLF\r\n',
    '\u2028 and \u2029',
    '👩‍👩‍👧',
    'مرحبا \u202e',
    'a\ufeff',
    '\u200b',
    'e\u0301',
  ])('accepts %j', (text) => expect(problemOf(text)).toBeUndefined());
  test.each(['', ' ', '\t\r\n', '\u00a0', '\u3000', '\ufeff'])('rejects the blank text %j', (text) =>
    expect(problemOf(text)).toMatchObject({ code: 'validation_failed', errors: [{ pointer: '/text' }] }),
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
  ])('rejects %j and reports it as %s', (text, codePoint) => {
    const problem = problemOf(`before ${text} after`);
    expect(problem).toMatchObject({
      code: 'validation_failed',
      errors: [{ pointer: '/text', message: expect.stringContaining(codePoint) }],
    });
  });
});
