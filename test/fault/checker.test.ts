/** The checker must see every kind of broken promise: a small history in which all is well, and one change that is not. */
import { describe, expect, test } from 'vitest';
import { type Cost, check } from './checker.ts';
import { BROADCASTS, type History, type ReaderEvent } from './history.ts';
import { at, bob, drop, gap, good, ready, storedOf, told } from './small-history.ts';

const rulesOf = (history: History, cost?: Cost) => check(history, cost).violations.map(({ rule }) => rule);

test('a history in which every promise was kept has no violation', () => {
  expect(check(good())).toEqual({ violations: [], lost: 0, repeats: 0, gaps: 0 });
});

describe('each broken promise is seen', () => {
  const BROKEN: [rule: string, how: string, (history: History) => void][] = [
    ['nothing lost', 'a broadcast never came', (history) => drop(history, 'cast2')],
    ['nothing lost', 'the newest broadcast never came', (history) => drop(history, 'cast3')],
    ['nothing lost', 'a direct message never came', (history) => drop(history, 'dm1')],
    [
      'nothing lost',
      'the copy for another device never came',
      ({ readers }) => void readers[1]!.events.pop(),
    ],
    [
      'in order',
      'two came in the wrong order',
      (history) => void bob(history).push(...bob(history).splice(at(history, 'cast1'), 1)),
    ],
    [
      'in order',
      'another message came with the same seq',
      (history) => {
        const { id: _, ...rest } = told(history.sends[1]!);
        bob(history).splice(at(history, 'cast2'), 0, { ...rest, id: 'another' } as ReaderEvent);
      },
    ],
    [
      'no repeat within a stream',
      'one came twice by the same connection',
      (history) => void bob(history).push(told(history.sends[0]!)),
    ],
    [
      'nothing unexpected',
      'one came that nobody sent',
      (history) =>
        void bob(history).push({ ...told(history.sends[2]!), text: 'invented', seq: 4 } as ReaderEvent),
    ],
    [
      'nothing unexpected',
      'one came that was for somebody else',
      (history) => {
        history.sends[3]!.to = 'carol';
      },
    ],
    [
      'no echo',
      'a session heard itself',
      ({ readers, sends }) => void readers[0]!.events.push(told(sends[0]!)),
    ],
    ['201 means stored', 'an accepted one is gone', (history) => void storedOf(history, BROADCASTS).pop()],
    ['no holes', 'the log has a hole', (history) => void storedOf(history, BROADCASTS).splice(1, 1)],
    ['no holes', 'the log lacks its beginning', (history) => void storedOf(history, BROADCASTS).shift()],
    [
      'as it is stored',
      'one came with a seq that is not the log’s',
      (history) => void Object.assign(bob(history)[at(history, 'cast3')]!, { seq: 4 }),
    ],
    [
      'no repeat within a stream',
      'a gap of one log hid a repeat in the other',
      (history) => void bob(history).push(gap(999, 'inbox', null, 2), told(history.sends[0]!)),
    ],
    [
      'stored once',
      'one is stored twice',
      (history) => {
        const log = storedOf(history, BROADCASTS);
        log.push({ ...log[2]!, seq: 4, id: 'a second id' });
      },
    ],
    [
      'nothing unexpected',
      'the log holds what nobody sent',
      (history) => {
        const log = storedOf(history, BROADCASTS);
        log.push({ ...log[2]!, seq: 4, id: 'a second id', text: 'invented' });
      },
    ],
    [
      'every send is settled',
      'one is unknown to the end',
      ({ sends }) => {
        sends[0]!.outcome = 'unknown';
      },
    ],
    [
      'no refusal',
      'one was refused',
      ({ sends }) => {
        Object.assign(sends[0]!, { outcome: 'fail', status: 404 });
      },
    ],
    [
      'refused is not stored',
      'one was refused and is stored all the same',
      ({ sends }) => {
        Object.assign(sends[0]!, { outcome: 'fail', status: 404 });
      },
    ],
    [
      'no false alarm',
      'a gap came and nothing was missing',
      (history) => void bob(history).push(gap(999, 'broadcasts', 1, 1)),
    ],
    ['mailbox', 'it lists nothing', ({ mailboxes }) => void mailboxes.set('bob', { ids: [], unread: 0 })],
    [
      'mailbox',
      'it lists what was acknowledged',
      ({ mailboxes }) => void mailboxes.set('bob', { ids: ['id of dm1', 'id of dm2'], unread: 2 }),
    ],
    [
      'mailbox',
      'its number is wrong',
      ({ mailboxes }) => void mailboxes.set('bob', { ids: ['id of dm2'], unread: 2 }),
    ],
    [
      'a loss is told once',
      'one was told of the same loss again',
      (history) => {
        history.losses.push({ fromMs: 0, toMs: 0 });
        bob(history).push(gap(998, 'broadcasts', null, 3), gap(999, 'broadcasts', null, 3));
      },
    ],
    ['no bug', 'a node said so', ({ notes }) => void notes.push({ rule: 'no bug', what: '500' })],
  ];
  test.each(BROKEN)('%s: %s', (rule, _, breakIt) => {
    const history = good();
    breakIt(history);
    expect(rulesOf(history)).toContain(rule);
  });
});

test('a repeat by the next connection is counted and is no violation', () => {
  const history = good();
  bob(history).push(ready(2, 'bob-phone'), told(history.sends[2]!, 2));
  expect(check(history)).toMatchObject({ violations: [], repeats: 1 });
});

test('what came long after its 201 is late where that matters', () => {
  const history = good();
  expect(rulesOf(history, { promptMs: 5 })).toEqual([]);
  expect(rulesOf(history, { promptMs: 4 })).toContain('in time');
});

test('where the fault is no excuse, an attempt without an answer is none', () => {
  const history = good();
  history.sends[0]!.unknowns = 1;
  expect(rulesOf(history)).toEqual([]);
  expect(rulesOf(history, { unknowns: 0 })).toEqual(['every send is answered']);
});

test('whose stream has ended is back in time where that is promised', () => {
  const history = good();
  history.readers[2]!.breaks.push({ atMs: 100, backAtMs: 6_000 });
  expect(rulesOf(history, { backMs: 5_900 })).toEqual([]);
  expect(rulesOf(history, { backMs: 5_800 })).toEqual(['back in time']);
});

test('what was sent without a key may stay unknown, and is stored at most once', () => {
  const history = good();
  Object.assign(history.sends[0]!, { outcome: 'unknown', isKeyless: true });
  expect(rulesOf(history)).toEqual([]);
});

test('what a gap covers may be missing, and nothing else', () => {
  const history = good();
  drop(history, 'cast2');
  bob(history).push(gap(999, 'broadcasts', 2, 2));
  expect(rulesOf(history, { gaps: ['trimmed'] })).toEqual([]);
  drop(history, 'cast3');
  expect(rulesOf(history, { gaps: ['trimmed'] })).toEqual(['nothing lost']);
});

test('a message that was sent after the gap is not covered by it', () => {
  const history = good();
  drop(history, 'cast3');
  history.losses.push({ fromMs: 0, toMs: 0 });
  bob(history).push(gap(history.sends[2]!.startedAtMs - 1, 'broadcasts', null, 3));
  expect(rulesOf(history, { gaps: ['lost'] })).toEqual(['nothing lost']);
});
