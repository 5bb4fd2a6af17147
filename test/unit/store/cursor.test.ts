import fc from 'fast-check';
import { expect, test } from 'vitest';
import { continuity, formatCursor, parseCursor } from '../../../src/store/log/cursor.ts';
import { markOf, type Position, START } from '../../../src/store/log/entry.ts';

const base36 = fc.stringMatching(/^[0-9a-z]{8}$/);
const position: fc.Arbitrary<Position> = fc.oneof(
  fc.constant(START),
  fc.record({
    epoch: base36,
    seq: fc.integer({ min: 1, max: 2 ** 40 }),
    mark: fc.stringMatching(/^([0-9a-f]{8})?$/),
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
  'eeeeeeee.1.00000000~0\r\nid: x',
  `${'e'.repeat(9000)}~0`,
])('%j is not a cursor', (text) => {
  expect(parseCursor(text)).toBeUndefined();
});

test('parsing never throws, whatever the text', () => {
  fc.assert(fc.property(fc.string(), (text) => void parseCursor(text)));
});

const message = (id: string) => `{"id":"01a20795-5cc3-7418-8c86-0000${id}","kind":"dm"}`;
const log = (first: number, last: number, ids: Record<number, string> = {}) => ({
  first,
  end: { epoch: 'e1', seq: last, mark: ids[last] ?? '' },
  entries: Object.entries(ids).map(([seq, id]) => ({ seq: Number(seq), origin: '-', message: message(id) })),
});

test.each([
  ['the start of a complete log', START, log(1, 5), 'whole'],
  ['the start of a log that dropped its oldest entries', START, log(3, 5), 'trimmed'],
  [
    'a position the log still has',
    { epoch: 'e1', seq: 2, mark: 'aaaaaaaa' },
    log(1, 5, { 2: 'aaaaaaaa' }),
    'whole',
  ],
  [
    'a position whose mark is unknown',
    { epoch: 'e1', seq: 2, mark: '' },
    log(1, 5, { 2: 'aaaaaaaa' }),
    'whole',
  ],
  ['the last entry that was dropped', { epoch: 'e1', seq: 2, mark: 'aaaaaaaa' }, log(3, 5), 'whole'],
  [
    'a dropped entry, and the next was dropped too',
    { epoch: 'e1', seq: 1, mark: 'aaaaaaaa' },
    log(3, 5),
    'trimmed',
  ],
  [
    'another epoch of the log',
    { epoch: 'e0', seq: 2, mark: 'aaaaaaaa' },
    log(1, 5, { 2: 'aaaaaaaa' }),
    'epoch',
  ],
  ['a log that vanished', { epoch: 'e1', seq: 2, mark: 'aaaaaaaa' }, { ...log(1, 0), end: START }, 'epoch'],
  ['a position beyond the end', { epoch: 'e1', seq: 6, mark: 'aaaaaaaa' }, log(1, 5), 'future'],
  [
    'a log that lost its newest entries and grew again',
    { epoch: 'e1', seq: 2, mark: 'aaaaaaaa' },
    log(1, 5, { 2: 'bbbbbbbb' }),
    'lost',
  ],
] as const)('%s: returns the expected continuity', (_, at, part, expected) => {
  expect(continuity(at, part, markOf)).toBe(expected);
});
