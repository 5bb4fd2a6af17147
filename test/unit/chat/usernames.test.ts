import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as tables from '../../../src/chat/unicode-tables.ts';
import {
  canonicalUsername,
  newUsername,
  SKELETON_VERSION,
  skeleton,
  usernamesOf,
} from '../../../src/chat/usernames.ts';

describe('canonicalUsername', () => {
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
    ['İzmir', 'izmir'],
    ['Straße', 'strasse'],
    ['STRASSE', 'strasse'],
    ['Σίσυφος', 'σίσυφοσ'],
    ['ſ', 's'],
    ['ﾔﾏﾀﾞ', 'ヤマダ'],
    ['امیر\u200cحسین', 'امیرحسین'],
    ['อำนาจ', 'อ\u0e4d\u0e32นาจ'],
    ['张三', '张三'],
    ['हिन्दी', 'हिन्दी'],
    ['ไทย', 'ไทย'],
    ['a.b_c-d', 'a.b_c-d'],
    ['constructor', 'constructor'],
    ['7', '7'],
    ['x'.repeat(32), 'x'.repeat(32)],
    ['𝒜'.repeat(32), 'a'.repeat(32)],
  ])('maps %j to %j', (name, canonical) => expect(canonicalUsername(name)).toBe(canonical));

  test('is idempotent, also for decomposed names', () => {
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
});

describe('rejects an invalid username', () => {
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
  test.each(inside)('with %j inside, before or after the name', (character) => {
    for (const name of [`al${character}ice`, `${character}alice`, `alice${character}`])
      expect(canonicalUsername(name)).toBeUndefined();
  });
});

const problemOf = (name: string): unknown => {
  try {
    newUsername(name);
  } catch (problem) {
    return problem;
  }
  return undefined;
};
const INVALID = { errors: [{ pointer: '/username', message: expect.stringMatching(/^must /) }] };

describe('accepts real names', () => {
  test.each([
    ['Persian, with a visible U+200C', 'علی\u200cرضا'],
    ['Persian, a compound', 'نسترن\u200cزاده'],
    ['Persian, with an invisible U+200C', 'امیر\u200cحسین'],
    ['Persian digits', 'علی۱۲'],
    ['Arabic', 'محمد'],
    ['Arabic, vowels', 'مُحَمَّد'],
    ['Arabic-Indic digits', 'محمد١٢'],
    ['Urdu', 'عائشہ'],
    ['Hebrew', 'דוד'],
    ['Hebrew with geresh', 'צ׳רלי'],
    ['Hebrew with points', 'שָׁלוֹם'],
    ['Yiddish with digits', 'יידיש18'],
    ['Sinhala with U+200D', 'ශ්\u200dරී'],
    ['Malayalam chillu with U+200D at the end', 'അവന്\u200d'],
    ['Malayalam chillu as one character', 'അവൻ'],
    ['Hindi', 'हिन्दी'],
    ['Hindi with U+200C', 'राम्\u200cसिंह'],
    ['Marathi with U+200D', 'क्\u200dष'],
    ['Bengali', 'রবীন্দ্রনাথ'],
    ['Tamil', 'தமிழ்'],
    ['Telugu', 'తెలుగు'],
    ['Gujarati', 'ગુજરાતી'],
    ['Thai', 'ไทย'],
    ['Thai with sara am', 'อำนาจ'],
    ['Thai, two marks on a letter', 'ที่นี่'],
    ['Lao', 'ລາວ'],
    ['Khmer', 'ខ្មែរ'],
    ['Burmese', 'သဇင်'],
    ['Tibetan, with its tsheg', 'བསྟན་འཛིན'],
    ['Chinese', '张三'],
    ['Chinese, an ideograph beyond the BMP', '𠮷野'],
    ['Chinese and Latin', '小明tom'],
    ['Bopomofo', 'ㄅㄆㄇ小明'],
    ['Japanese, kanji and kana', '山田たろう'],
    ['Japanese, katakana with middle dot', 'ジョン・スミス'],
    ['Japanese, iteration and length', '佐々木ラーメン'],
    ['Japanese and Latin', 'ラーメンtaro'],
    ['Korean', '김철수'],
    ['Korean and Latin', '철수kim'],
    ['Vietnamese', 'Nguyễn'],
    ['Turkish, dotted', 'İbrahim'],
    ['Turkish, dotless', 'ısa'],
    ['German', 'Weiß'],
    ['Greek', 'Οδυσσεύς'],
    ['Russian', 'Алексей'],
    ['Ukrainian', 'Їжак'],
    ['Armenian', 'Արմեն'],
    ['Georgian', 'გიორგი'],
    ['Amharic', 'ትግርኛ'],
    ['Catalan', 'Gal·la'],
    ['Hawaiian', 'Kaʻiulani'],
    ['Yoruba', 'Ọlárìndé'],
    ['Tifinagh', 'ⴰⵎⴰⵣⵉⵖ'],
    ['Cherokee', 'ᏣᎳᎩ'],
    ['Inuktitut', 'ᐃᓄᒃ'],
    ['Adlam', '𞤀𞤣𞤤𞤢𞤥'],
    ['Dhivehi', 'ރޯދަ'],
    ['ideographic zero', '二〇二六'],
  ])('%s: %s', (_, name) => {
    expect(problemOf(name)).toBeUndefined();
    expect(canonicalUsername(newUsername(name))).toBe(newUsername(name));
  });
});

describe('rejects names that are ambiguous or affect the text around them', () => {
  test.each([
    ['an invisible joiner', 'ali\u200cce'],
    ['a joiner between Han', '张\u200d三'],
    ['a joiner at the end', 'علی\u200c'],
    ['two joiners', 'ශ්\u200d\u200dරී'],
    ['a variation selector', 'alice\ufe0f'],
    ['an ideographic variation', '辻\u{e0100}'],
    ['a combining grapheme joiner', 'ali\u034fce'],
    ['a soft hyphen', 'ali\u00adce'],
    ['an invisible Khmer vowel', 'ក\u17b4'],
    ['a Hangul filler', '\u3164'],
    ['a half-width Hangul filler', '\uffa0'],
    ['a Hangul filler inside', '김\u115f'],
    ['a Mongolian vowel separator', 'ᠮ\u180eᠨ'],
    ['a tag', 'alice\u{e0061}'],
    ['a left-to-right mark', 'alice\u200e'],
    ['a direction override', 'al\u202eice'],
    ['Cyrillic in Latin', 'аlice'],
    ['Greek in Latin', 'aliϲe'],
    ['Armenian in Latin', 'bօb'],
    ['Cherokee in Latin', 'ꭰlice'],
    ['Han in Cyrillic', 'мир三'],
    ['Hangul and kana', '김たろう'],
    ['Arabic and Persian digits', 'علی١۲'],
    ['Arabic and European digits', 'علی١2'],
    ['Devanagari and European digits', 'राम१2'],
    ['nothing but digits of two scripts', '1२'],
    ['five combining marks on a letter', 'a\u0300\u0301\u0302\u0303\u0304'],
    ['the same mark twice', 'a\u0301\u0301'],
    ['31 combining marks', `a${'\u0315'.repeat(31)}`],
    ['nothing but combining marks', '\u0301\u0302'],
    ['a combining mark on a dash', 'a-\u0301'],
    ['an enclosing mark', 'a\u20dd'],
    ['a tatweel', 'عـلي'],
    ['conjoining jamo that do not form a syllable', '\u1100\u1100'],
    ['a Roman numeral that is not a letter', 'ↀ'],
    ['a fraction', '½'],
    ['right to left, beginning with a digit', '1אב'],
    ['right to left, ending with a dash', 'אב-'],
    ['a middle dot outside Catalan', 'x·y'],
    ['a katakana dot in Latin', 'x・y'],
    ['a private-use character', '\ue000'],
    ['an unassigned character', '\u{e1000}'],
    ['emoji', '😀'],
  ])('%s', (_, name) => {
    expect(problemOf(name)).toMatchObject(INVALID);
    expect(canonicalUsername(name)).toBeUndefined();
  });
});

describe('skeleton', () => {
  test.each([
    ['alice', 'аӏісе'],
    ['alice', 'a1ice'],
    ['bob1', 'bobl'],
    ['bob0', 'bobo'],
    ['modern', 'modem'],
    ['coco', 'сосо'],
    ['paypal', 'раураӏ'],
    ['isa', 'ısa'],
    ['ibrahim', 'İbrahim'],
    ['strasse', 'Straße'],
    ['σας', 'ΣΑΣ'],
    ['scope', 'ѕсоре'],
    ['ooo', 'οοο'],
    ['ooo', 'օօօ'],
    ['カ', '力'],
    ['ロ', '口'],
    ['へ', 'ヘ'],
    ['一', 'ー'],
    ['علی\u200cرضا', 'علیرضا'],
    ['علی', 'على'],
    ['क्\u200dष', 'क्ष'],
    ['അവന്\u200d', 'അവൻ'],
    ['گل', 'گل'],
    ['alice', 'alice\ufe0f'],
    ['alice', 'ali\u034fce'],
    ['alice', 'аlice'],
    ['a', 'ɑ'],
    ['g', 'ɡ'],
  ])('is the same for %s and %s', (one, other) => expect(skeleton(one)).toBe(skeleton(other)));

  test.each([
    ['alice', 'bob'],
    ['ivan', 'lvan'],
    ['mai', 'mal'],
    ['émile', 'emile'],
    ['user1', 'user2'],
    ['張三', '张三'],
    ['мир', 'миг'],
  ])('differs for %s and %s', (one, other) => expect(skeleton(one)).not.toBe(skeleton(other)));
});

const NEW_VERSION =
  'skeletons differ from those of this version: increment SKELETON_VERSION, then update the digest';

/** One test for everything that concerns all characters, because it takes seconds. No name contains the skipped characters. */
test('every character has a stable form and skeleton, and the same skeleton as others with equal capitals', () => {
  const skeletonOfCapitals = new Map<string, string>();
  const allSkeletons = createHash('sha256');
  const wrong = [];
  for (let point = 0; point <= 0x10ffff; point += 1) {
    const character = String.fromCodePoint(point);
    if (/[\p{Cn}\p{Co}\p{Cs}]/u.test(character)) continue;
    const inside = canonicalUsername(`a${character}`);
    if (inside !== undefined && canonicalUsername(inside) !== inside) wrong.push(`form of ${point}`);
    const canonical = canonicalUsername(character);
    if (canonical === undefined) continue;
    const own = skeleton(canonical);
    allSkeletons.update(`${point} ${own}\n`);
    if (canonicalUsername(canonical) !== canonical) wrong.push(`form of ${point} alone`);
    if (skeleton(own) !== own || skeleton(character) !== own) wrong.push(`skeleton of ${point}`);
    const capitals = canonical.toUpperCase();
    if ((skeletonOfCapitals.get(capitals) ?? own) !== own) wrong.push(`capitals of ${point}`);
    skeletonOfCapitals.set(capitals, own);
  }
  expect(wrong).toEqual([]);
  expect({ [SKELETON_VERSION]: allSkeletons.digest('hex').slice(0, 12) }, NEW_VERSION).toEqual({
    1: 'e23324a32ec8',
  });
});

test('a change to the tables requires a new version, so that nodes reserve all skeletons again', () => {
  const digest = createHash('sha256').update(JSON.stringify(tables)).digest('hex').slice(0, 12);
  expect({ [SKELETON_VERSION]: digest }, NEW_VERSION).toEqual({ 1: '483131243b35' });
});

const anyLetter = fc.oneof(
  fc.constantFrom(...'aiZ9.-_éİıßſﬁΣς한ไ\u0301\u0307ー・·ا\u200c\u200dر\u094dकൻ\u0d4d\u3164\ufe0f\u0e33۱١'),
  fc
    .integer({ min: 0, max: 0x10ffff })
    .map((code) => String.fromCodePoint(code))
    .filter((each) => /[\p{L}\p{M}\p{N}]/u.test(each)),
);

test('for any text, the canonical form and the skeleton are stable, and only joiners are invisible', () => {
  fc.assert(
    fc.property(fc.string({ unit: anyLetter, minLength: 1, maxLength: 8 }), (name) => {
      const canonical = canonicalUsername(name);
      expect(skeleton(skeleton(name))).toBe(skeleton(name));
      if (canonical === undefined) return;
      expect(canonicalUsername(canonical)).toBe(canonical);
      expect(canonical.normalize('NFC')).toBe(canonical);
      expect(canonical.replace(/\u200c|\u200d/gu, '')).not.toMatch(/\p{Default_Ignorable_Code_Point}/u);
      expect(skeleton(canonical)).toBe(skeleton(name));
    }),
    { numRuns: 5_000 },
  );
});

test('rejects registering a symbol that NFKC maps to letters', () => {
  expect(problemOf('㍿')).toMatchObject(INVALID);
  expect(problemOf('a℡')).toMatchObject(INVALID);
});

test('a name stands for one username, or two if the former rules give it another form, which is preferred', () => {
  expect(usernamesOf('alice')).toEqual(['alice']);
  expect(usernamesOf('Alice')).toEqual(['alice']);
  expect(usernamesOf('张三')).toEqual(['张三']);
  expect(usernamesOf('Straße')).toEqual(['straße', 'strasse']);
  expect(usernamesOf('аlice')).toEqual(['аlice']);
  expect(usernamesOf('علی\u200cرضا')).toEqual(['علی\u200cرضا']);
  expect(usernamesOf('{}')).toEqual([]);
});

test('this Node supports the Unicode version of the tables, and the script generates exactly these tables', async () => {
  expect(Number(process.versions['unicode'])).toBeGreaterThanOrEqual(16);
  const script = new URL('../../../scripts/unicode-tables.mjs', import.meta.url).href;
  const { tables: generate } = await import(script);
  const committed = readFileSync(new URL('../../../src/chat/unicode-tables.ts', import.meta.url), 'utf8');
  expect(await generate()).toBe(committed);
});
