/** If a fault may lose messages, the checker does not judge the loss itself, but whether and when readers get a gap. */
import { describe, expect, test } from 'vitest';
import { type Cost, check } from './checker.ts';
import { BROADCASTS, type History } from './history.ts';
import { bob, drop, gap, good, ready, storedOf } from './small-history.ts';

const rulesOf = (history: History, cost?: Cost) => check(history, cost).violations.map(({ rule }) => rule);

describe('when the fault may lose messages', () => {
  const cost: Cost = { gaps: ['lost'] };
  const lose = (history: History, fromMs = 250) => {
    storedOf(history, BROADCASTS).pop();
    history.losses.push({ fromMs, toMs: 400 });
  };

  test('a reader that received a lost message must get a gap afterwards', () => {
    const history = good();
    lose(history);
    expect(new Set(rulesOf(history, cost))).toEqual(new Set(['a loss is reported']));
    for (const { events } of history.readers) events.push(gap(999, 'broadcasts', null, 2));
    expect(check(history, cost)).toMatchObject({ violations: [], lost: 1 });
  });

  test('the gap must arrive in time, not with the gap of a later loss', () => {
    const history = good();
    lose(history);
    for (const { events } of history.readers) events.push(gap(10_500, 'broadcasts', null, 2));
    expect(new Set(rulesOf(history, cost))).toEqual(new Set(['a loss is reported']));
  });

  test('the time limit for a disconnected reader starts when it reconnects', () => {
    const rulesWithGapAt = (atMs: number) => {
      const history = good();
      lose(history);
      for (const { events, sids } of history.readers) {
        events.push({ atMs: 9_000, stream: 1, kind: 'end' }, { ...ready(2, sids[0]!), atMs: 17_000 });
        events.push({ ...gap(atMs, 'broadcasts', null, 2), stream: 2 });
      }
      return new Set(rulesOf(history, cost));
    };
    expect(rulesWithGapAt(27_000)).toEqual(new Set());
    expect(rulesWithGapAt(27_001)).toEqual(new Set(['a loss is reported']));
  });

  test('after a gap in the inbox, only messages that may have been acknowledged may be missing', () => {
    const history = good();
    history.losses.push({ fromMs: 0, toMs: 0 });
    drop(history, 'dm1');
    bob(history).push(gap(950, 'inbox', null, 2));
    expect(rulesOf(history, cost)).toEqual([]);
    history.acks = [{ username: 'bob', id: 'id of dm1', atMs: 90, isAccepted: true }];
    expect(rulesOf(history, cost)).toEqual(['nothing lost']);
  });

  test('a log may begin later only if its front may be lost, and has no holes after that', () => {
    const history = good();
    history.losses.push({ fromMs: 0, toMs: 500 });
    storedOf(history, BROADCASTS).shift();
    for (const { events } of history.readers) events.push(gap(999, 'broadcasts', null, 3));
    expect(rulesOf(history, cost)).toEqual(['no holes']);
    expect(rulesOf(history, { ...cost, mayLoseFronts: true })).toEqual([]);
    storedOf(history, BROADCASTS)[1]!.seq = 4;
    expect(rulesOf(history, { ...cost, mayLoseFronts: true })).toContain('no holes');
  });

  test('a message acknowledged long before the loss must still be stored', () => {
    const history = good();
    for (const { events } of history.readers) events.push(gap(999, 'broadcasts', null, 2));
    lose(history, 350);
    expect(rulesOf(history, cost)).toEqual(['201 means stored']);
  });
});
