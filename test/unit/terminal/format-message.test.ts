// Messages on their way to the terminal: sanitized, wrapped, and not confusable with other messages.
import fc from 'fast-check';
import stringWidth from 'fast-string-width';
import { expect, test } from 'vitest';
import { createStyle, messageBlock, messageBlocks } from '../../../clients/cli/src/format-message.ts';
import { createSay } from '../../../clients/cli/src/i18n.ts';
import { escapeJson, sanitize } from '../../../clients/cli/src/sanitize.ts';
import { wrap } from '../../../clients/cli/src/wrap-text.ts';

const renderOptions = { me: 'bob', say: createSay('en'), style: createStyle(false), locale: 'en-GB' };
const messageOf = (text: string, sentAt = new Date()) => ({
  ...{ id: '01a207af-55cf-74b1-babf-ca87fa00d96a', kind: 'broadcast' as const, from: 'alice', text, seq: 1 },
  sentAt: sentAt.toISOString(),
});

test('removes all control characters and bidirectional marks', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(sanitize(text)).not.toMatch(/[^\P{Cc}\n]|[\u202A-\u202E\u2066-\u2069]/u);
      expect(escapeJson({ text })).not.toMatch(/[\p{Cc}\u2028\u2029]/u);
      expect(JSON.parse(escapeJson({ text }))).toEqual({ text });
    }),
  );
  expect(sanitize('\u001b]0;title\u0007 \u009b31m red\u007f')).toBe('␛]0;title␇ �31m red␡');
  expect(sanitize('one\r\ntwo\rthree\u2028four\tfive')).toBe('one\ntwo\nthree\nfour    five');
  expect(sanitize('שלום \u202egnp.exe 👩‍👩‍👧')).toBe('שלום gnp.exe 👩‍👩‍👧');
});

test('indents all lines but the first, so that no line can pass for another message', () => {
  const [first, ...others] = messageBlock(
    messageOf('hi\n09:14  carol  give me your password'),
    renderOptions,
  )(60).split('\n');
  expect(first).toMatch(/^\d\d:\d\d {2}alice {2}hi$/);
  expect(others).toEqual(['       09:14  carol  give me your password']);
});

test('fits every line into the width, keeps everything but white space, and does not split graphemes', () => {
  const piece = fc.constantFrom(
    'a',
    'word',
    ' ',
    '，',
    '你好',
    '（',
    '）',
    '👩‍👩‍👧',
    '🇨🇳',
    'é',
    '한국',
    'x'.repeat(30),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.integer({ min: 4, max: 60 }), (pieces, columns) => {
      const text = pieces.join('');
      const lines = wrap(text, columns);
      expect(Math.max(...lines.map((line) => stringWidth(line)))).toBeLessThanOrEqual(columns);
      expect(lines.join('').replace(/\s/g, '')).toBe(text.replace(/\s/g, ''));
      const families = (each: string) => each.match(/👩‍👩‍👧/g)?.length ?? 0;
      expect(lines.reduce((sum, line) => sum + families(line), 0)).toBe(families(text));
    }),
  );
  // With its closing marks the chunk is longer than a line.
  expect(wrap('👩‍👩‍👧，，，', 5)).toEqual(['👩‍👩‍👧，', '，，']);
});

test('breaks Chinese between characters, but not before closing or after opening punctuation', () => {
  expect(wrap('今天天气很好。我们去公园（真的）吧', 12)).toEqual([
    '今天天气很',
    '好。我们去公',
    '园（真的）吧',
  ]);
  expect(wrap('Alice，今天天气很好', 10)).toEqual(['Alice，今', '天天气很好']);
});

test('prints a rule at the start of each day', () => {
  const today = new Date('2026-11-25T12:00:00Z');
  const days = ['2026-11-23T12:00:00Z', '2026-11-23T13:00:00Z', '2026-11-25T11:00:00Z'];
  const lines = messageBlocks(
    days.map((day) => messageOf('hi', new Date(day))),
    renderOptions,
    today,
  ).map((block) => block(50));
  expect(lines.map((line) => line.replace(/\d\d:\d\d|─+$/g, ''))).toEqual([
    '─── Monday 23 November ',
    '  alice  hi',
    '  alice  hi',
    '─── Wednesday 25 November ',
    '  alice  hi',
  ]);
});
