/** The checker must detect every kind of violation: each test makes one change to a small correct history. */
import { describe, expect, test } from 'vitest';
import { type Cost, check } from './checker.ts';
import { BROADCASTS, type History, type ReaderEvent } from './history.ts';
import { at, bob, delivered, drop, gap, good, ready, storedOf } from './small-history.ts';

const rulesOf = (history: History, cost?: Cost) => check(history, cost).violations.map(({ rule }) => rule);

test('reports no violation for a correct history', () => {
  expect(check(good())).toEqual({ violations: [], lost: 0, repeats: 0, gaps: 0 });
});

describe('detects each violation', () => {
  const VIOLATIONS: [rule: string, how: string, (history: History) => void][] = [
    ['nothing lost', 'a broadcast never arrives', (history) => drop(history, 'cast2')],
    ['nothing lost', 'the newest broadcast never arrives', (history) => drop(history, 'cast3')],
    ['nothing lost', 'a direct message never arrives', (history) => drop(history, 'dm1')],
    [
      'nothing lost',
      'the copy for another device never arrives',
      ({ readers }) => void readers[1]!.events.pop(),
    ],
    [
      'in order',
      'two messages arrive in the wrong order',
      (history) => void bob(history).push(...bob(history).splice(at(history, 'cast1'), 1)),
    ],
    [
      'in order',
      'another message arrives with the same seq',
      (history) => {
        const { id: _, ...rest } = delivered(history.sends[1]!);
        bob(history).splice(at(history, 'cast2'), 0, { ...rest, id: 'another' } as ReaderEvent);
      },
    ],
    [
      'no repeat within a stream',
      'a message arrives twice on the same connection',
      (history) => void bob(history).push(delivered(history.sends[0]!)),
    ],
    [
      'nothing unexpected',
      'a message arrives that nobody sent',
      (history) =>
        void bob(history).push({ ...delivered(history.sends[2]!), text: 'invented', seq: 4 } as ReaderEvent),
    ],
    [
      'nothing unexpected',
      'a message for somebody else arrives',
      (history) => {
        history.sends[3]!.to = 'carol';
      },
    ],
    [
      'no echo',
      'a session receives its own message',
      ({ readers, sends }) => void readers[0]!.events.push(delivered(sends[0]!)),
    ],
    [
      '201 means stored',
      'an accepted message is gone',
      (history) => void storedOf(history, BROADCASTS).pop(),
    ],
    ['no holes', 'the log has a hole', (history) => void storedOf(history, BROADCASTS).splice(1, 1)],
    [
      'no holes',
      'the beginning of the log is missing',
      (history) => void storedOf(history, BROADCASTS).shift(),
    ],
    [
      'matches the stored message',
      'a message arrives with a seq that differs from the log',
      (history) => void Object.assign(bob(history)[at(history, 'cast3')]!, { seq: 4 }),
    ],
    [
      'no repeat within a stream',
      'a gap in one log does not excuse a repeat in the other',
      (history) => void bob(history).push(gap(999, 'inbox', null, 2), delivered(history.sends[0]!)),
    ],
    [
      'stored once',
      'a message is stored twice',
      (history) => {
        const log = storedOf(history, BROADCASTS);
        log.push({ ...log[2]!, seq: 4, id: 'a second id' });
      },
    ],
    [
      'nothing unexpected',
      'the log contains a message that nobody sent',
      (history) => {
        const log = storedOf(history, BROADCASTS);
        log.push({ ...log[2]!, seq: 4, id: 'a second id', text: 'invented' });
      },
    ],
    [
      'every send is settled',
      'a send is still unknown at the end',
      ({ sends }) => {
        sends[0]!.outcome = 'unknown';
      },
    ],
    [
      'no rejection',
      'a send is rejected',
      ({ sends }) => {
        Object.assign(sends[0]!, { outcome: 'fail', status: 404 });
      },
    ],
    [
      'rejected sends are not stored',
      'a rejected send is stored',
      ({ sends }) => {
        Object.assign(sends[0]!, { outcome: 'fail', status: 404 });
      },
    ],
    [
      'no false alarm',
      'a gap arrives although nothing is missing',
      (history) => void bob(history).push(gap(999, 'broadcasts', 1, 1)),
    ],
    ['mailbox', 'it is empty', ({ mailboxes }) => void mailboxes.set('bob', { ids: [], unread: 0 })],
    [
      'mailbox',
      'it lists acknowledged messages',
      ({ mailboxes }) => void mailboxes.set('bob', { ids: ['id of dm1', 'id of dm2'], unread: 2 }),
    ],
    [
      'mailbox',
      'its count is wrong',
      ({ mailboxes }) => void mailboxes.set('bob', { ids: ['id of dm2'], unread: 2 }),
    ],
    [
      'a loss is reported once',
      'the same loss is reported twice',
      (history) => {
        history.losses.push({ fromMs: 0, toMs: 0 });
        bob(history).push(gap(998, 'broadcasts', null, 3), gap(999, 'broadcasts', null, 3));
      },
    ],
    [
      'no unexpected error',
      'a node reports one',
      ({ notes }) => void notes.push({ rule: 'no unexpected error', what: '500' }),
    ],
  ];
  test.each(VIOLATIONS)('%s: %s', (rule, _, change) => {
    const history = good();
    change(history);
    expect(rulesOf(history)).toContain(rule);
  });
});

test('counts a repeat on the next connection without reporting a violation', () => {
  const history = good();
  bob(history).push(ready(2, 'bob-phone'), delivered(history.sends[2]!, 2));
  expect(check(history)).toMatchObject({ violations: [], repeats: 1 });
});

test('reports late messages if the fault requires prompt delivery', () => {
  const history = good();
  expect(rulesOf(history, { promptMs: 5 })).toEqual([]);
  expect(rulesOf(history, { promptMs: 4 })).toContain('delivered in time');
});

test('reports attempts without a response if the fault does not excuse them', () => {
  const history = good();
  history.sends[0]!.unknowns = 1;
  expect(rulesOf(history)).toEqual([]);
  expect(rulesOf(history, { unknowns: 0 })).toEqual(['every send is answered']);
});

test('reports slow reconnects if the fault limits them', () => {
  const history = good();
  history.readers[2]!.breaks.push({ atMs: 100, backAtMs: 6_000 });
  expect(rulesOf(history, { backMs: 5_900 })).toEqual([]);
  expect(rulesOf(history, { backMs: 5_800 })).toEqual(['reconnected in time']);
});

test('allows a send without a key to stay unknown', () => {
  const history = good();
  Object.assign(history.sends[0]!, { outcome: 'unknown', isKeyless: true });
  expect(rulesOf(history)).toEqual([]);
});

test('allows only messages covered by a gap to be missing', () => {
  const history = good();
  drop(history, 'cast2');
  bob(history).push(gap(999, 'broadcasts', 2, 2));
  expect(rulesOf(history, { gaps: ['trimmed'] })).toEqual([]);
  drop(history, 'cast3');
  expect(rulesOf(history, { gaps: ['trimmed'] })).toEqual(['nothing lost']);
});

test('a gap does not cover messages sent after it', () => {
  const history = good();
  drop(history, 'cast3');
  history.losses.push({ fromMs: 0, toMs: 0 });
  bob(history).push(gap(history.sends[2]!.startedAtMs - 1, 'broadcasts', null, 3));
  expect(rulesOf(history, { gaps: ['lost'] })).toEqual(['nothing lost']);
});
