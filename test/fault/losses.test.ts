/** Where a fault may take messages away the checker is no judge of the loss, but of who is told, and when. */
import { describe, expect, test } from 'vitest';
import { type Cost, check } from './checker.ts';
import { BROADCASTS, type History } from './history.ts';
import { bob, drop, gap, good, ready, storedOf } from './small-history.ts';

const rulesOf = (history: History, cost?: Cost) => check(history, cost).violations.map(({ rule }) => rule);

describe('where the fault may lose messages', () => {
  const cost: Cost = { gaps: ['lost'] };
  const lose = (history: History, fromMs = 250) => {
    storedOf(history, BROADCASTS).pop();
    history.losses.push({ fromMs, toMs: 400 });
  };

  test('who had seen a lost one must be told afterwards', () => {
    const history = good();
    lose(history);
    expect(new Set(rulesOf(history, cost))).toEqual(new Set(['a loss is told']));
    for (const { events } of history.readers) events.push(gap(999, 'broadcasts', null, 2));
    expect(check(history, cost)).toMatchObject({ violations: [], lost: 1 });
  });

  test('one must be told soon, and not by the gap of a later loss', () => {
    const history = good();
    lose(history);
    for (const { events } of history.readers) events.push(gap(10_500, 'broadcasts', null, 2));
    expect(new Set(rulesOf(history, cost))).toEqual(new Set(['a loss is told']));
  });

  test('who was away is told when they have listened for as long', () => {
    const later = (atMs: number) => {
      const history = good();
      lose(history);
      for (const { events, sids } of history.readers) {
        events.push({ atMs: 9_000, stream: 1, kind: 'end' }, { ...ready(2, sids[0]!), atMs: 17_000 });
        events.push({ ...gap(atMs, 'broadcasts', null, 2), stream: 2 });
      }
      return new Set(rulesOf(history, cost));
    };
    expect(later(27_000)).toEqual(new Set());
    expect(later(27_001)).toEqual(new Set(['a loss is told']));
  });

  test('after a gap of the mailbox only what may have been acknowledged need not come', () => {
    const history = good();
    history.losses.push({ fromMs: 0, toMs: 0 });
    drop(history, 'dm1');
    bob(history).push(gap(950, 'inbox', null, 2));
    expect(rulesOf(history, cost)).toEqual([]);
    history.acks = [{ username: 'bob', id: 'id of dm1', atMs: 90, isTaken: true }];
    expect(rulesOf(history, cost)).toEqual(['nothing lost']);
  });

  test('one that was answered long before must be there', () => {
    const history = good();
    for (const { events } of history.readers) events.push(gap(999, 'broadcasts', null, 2));
    lose(history, 350);
    expect(rulesOf(history, cost)).toEqual(['201 means stored']);
  });
});
