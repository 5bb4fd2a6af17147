import fc from 'fast-check';
import { expect, test } from 'vitest';
import { continuity, formatCursor, parseCursor } from '../../../src/store/log/cursor.ts';
import { encodeId, MARK_LENGTH, type Position, START } from '../../../src/store/log/entry.ts';

const base36 = fc.stringMatching(/^[0-9a-z]{8}$/);
const position: fc.Arbitrary<Position> = fc.oneof(
  fc.constant(START),
  fc.record({
    epoch: base36,
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    mark: fc.stringMatching(/^([\w-]{6})?$/),
  }),
);

test('parsing a formatted cursor returns the same cursor', () => {
  fc.assert(
    fc.property(position, position, (inbox, broadcasts) => {
      expect(parseCursor(formatCursor({ inbox, broadcasts }))).toEqual({ inbox, broadcasts });
    }),
  );
});

test.each([
  '',
  '0',
  '0~',
  '~0',
  '0~0~0',
  ' 0~0',
  '0~0\n',
  'abc',
  '1~0',
  'e.1.a~0',
  'eeeeeeee.-1.00000000~0',
  'eeeeeeee.1.0000000g~0',
  'eeeeeeee.1.00000+~0',
  'eeeeeeee.1.0000000~0',
  'eeeeeeee.1.00000000~0\r\nid: x',
  `${'e'.repeat(9000)}~0`,
])('%j is not a cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

test('parsing never throws, whatever the text', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseCursor(text)));
});

test('a cursor of an earlier release has the same mark in hexadecimal digits', () => {
  fc.assert(
    fc.property(fc.uuid({ version: 7 }), (id) => {
      const mark = encodeId(id)!.slice(-MARK_LENGTH);
      expect(parseCursor(`eeeeeeee.a.${id.slice(-8)}~0`)).toEqual({
        inbox: { epoch: 'eeeeeeee', seq: 10, mark },
        broadcasts: START,
      });
      expect(parseCursor(`eeeeeeee.a.${mark}~0`)?.inbox.mark).toBe(mark);
    }),
  );
});

const log = (first: number, last: number, marks: Record<number, string> = {}) => ({
  first,
  end: { epoch: 'e1', seq: last, mark: marks[last] ?? '' },
  entries: Object.entries(marks).map(([seq, mark]) => ({ seq: Number(seq), mark })),
});

test.each([
  ['the start of a complete log', START, log(1, 5), 'whole'],
  ['the start of a log that dropped its oldest entries', START, log(3, 5), 'trimmed'],
  [
    'a position the log still has',
    { epoch: 'e1', seq: 2, mark: 'aaaaaa' },
    log(1, 5, { 2: 'aaaaaa' }),
    'whole',
  ],
  [
    'a position whose mark is unknown',
    { epoch: 'e1', seq: 2, mark: '' },
    log(1, 5, { 2: 'aaaaaa' }),
    'whole',
  ],
  ['the last entry that was dropped', { epoch: 'e1', seq: 2, mark: 'aaaaaa' }, log(3, 5), 'whole'],
  [
    'a dropped entry, and the next was dropped too',
    { epoch: 'e1', seq: 1, mark: 'aaaaaa' },
    log(3, 5),
    'trimmed',
  ],
  ['another epoch of the log', { epoch: 'e0', seq: 2, mark: 'aaaaaa' }, log(1, 5, { 2: 'aaaaaa' }), 'epoch'],
  ['a log that vanished', { epoch: 'e1', seq: 2, mark: 'aaaaaa' }, { ...log(1, 0), end: START }, 'epoch'],
  ['a position beyond the end', { epoch: 'e1', seq: 6, mark: 'aaaaaa' }, log(1, 5), 'future'],
  [
    'a log that lost its newest entries and grew again',
    { epoch: 'e1', seq: 2, mark: 'aaaaaa' },
    log(1, 5, { 2: 'bbbbbb' }),
    'lost',
  ],
] as const)('%s: returns the expected continuity', (_, at, part, expected) => {
  expect(continuity(at, part)).toBe(expected);
});
