import { describe, expect, test } from 'vitest';
import { displayNameOf } from '../../../src/chat/display-names.ts';

const problemOf = (name: string): unknown => {
  try {
    displayNameOf(name);
  } catch (problem) {
    return problem;
  }
  return undefined;
};

describe('displayNameOf returns a valid name unchanged', () => {
  test.each([
    'Alice L.',
    '"{}*:\\',
    "';DROP",
    '李 小龙',
    'علی\u200cرضا',
    'امیر\u200cحسین',
    'ශ්\u200dරී',
    'അവന്\u200d',
    'Nguyễn Văn A',
    'สมชาย ใจดี',
    'الأستاذ محمد',
    '辻\u{e0100}',
    'ᠮᠣᠩ\u180bᠭᠣᠯ',
    '👩\u200d🚀',
    '👩🏽\u200d🚀 Ada',
    '❤\ufe0f',
    '1\ufe0f\u20e3',
    '\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}',
    '🇨🇳',
    '🏳\ufe0f\u200d🌈',
    'é'.normalize('NFD'),
    '😀'.repeat(64),
    '字'.repeat(64),
    '\ufdfd',
  ])('%j', (name) => expect(displayNameOf(name)).toBe(name));
});

test.each([
  ['  Alice  ', 'Alice'],
  ['Alice   Liddell', 'Alice Liddell'],
  ['Alice\u3000\u3000Liddell', 'Alice Liddell'],
  ['\u00a0Alice\u2003\u2002L', 'Alice L'],
  [`mallory${'\u3000'.repeat(50)}x`, 'mallory x'],
  ['\u2800Alice\u2800\u2800L', 'Alice L'],
])('collapses and trims spaces: %j', (name, stored) => expect(displayNameOf(name)).toBe(stored));

describe('rejects invisible characters and names that affect the text around them', () => {
  test.each([
    ['line ends', 'Al\nice'],
    ['a tab', 'Al\tice'],
    ['a line separator', 'Al\u2028ice'],
    ['NUL', 'Al\0ice'],
    ['a lone surrogate', 'Al\ud800ice'],
    ['nothing but spaces', '\u3000 \u00a0'],
    ['nothing but a braille blank', '\u2800'],
    ['a direction override', '\u202eecila'],
    ['a direction embedding', '\u202aalice'],
    ['a direction isolate', '\u2067alice'],
    ['a left-to-right mark', 'alice\u200e'],
    ['an Arabic letter mark', 'alice\u061c'],
    ['a zero-width space', 'ali\u200bce'],
    ['a joiner between Latin letters', 'ali\u200cce'],
    ['a joiner at the end', 'alice\u200d'],
    ['a joiner after an emoji', '😀\u200d'],
    ['a joiner between digits', '1\u200d2'],
    ['a word joiner', 'ali\u2060ce'],
    ['a byte order mark', '\ufeffalice'],
    ['a soft hyphen', 'ali\u00adce'],
    ['a variation selector after a letter', 'alice\ufe0f'],
    ['a variation selector after a digit', '1\ufe0f'],
    ['two variation selectors', '❤\ufe0f\ufe0f'],
    ['tags without a flag', 'alice\u{e0061}\u{e007f}'],
    ['a flag of tags without an end tag', '\u{1f3f4}\u{e0067}\u{e0062}'],
    ['a Hangul filler', '\u3164'],
    ['a grapheme joiner', 'ali\u034fce'],
    ['an interlinear anchor', 'a\ufff9b'],
    ['a combining mark at the beginning', '\u0301alice'],
    ['five combining marks on a letter', `a${'\u0300\u0301\u0302\u0303\u0304'}`],
    ['60 combining marks on a letter', `a${'\u0315'.repeat(60)}`],
    ['60 ligatures of a whole sentence', '\ufdfd'.repeat(60)],
    ['60 cuneiform signs', '\u{12031}'.repeat(60)],
  ])('%s', (_, name) => expect(problemOf(name)).toMatchObject({ errors: [{ pointer: '/displayName' }] }));
});
