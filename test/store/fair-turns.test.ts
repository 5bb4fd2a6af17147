import { expect, test } from 'vitest';
import { createFairTurns } from '../../src/store/fair-turns.ts';

/** Work that ends on command and records the order in which it started. */
function workshop(atOnce: number) {
  const turns = createFairTurns(atOnce);
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const ask = (who: string, signal?: AbortSignal) =>
    turns.run(who, signal, () => {
      begun.push(who);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const end = async (count = 1) => {
    for (let n = 0; n < count; n += 1) {
      ends.shift()?.();
      await new Promise((go) => setImmediate(go));
    }
  };
  return { ask, begun, end };
}

test('runs at most the given number of tasks at once', async () => {
  const { ask, begun, end } = workshop(2);
  for (let n = 0; n < 5; n += 1) void ask('a');
  await end(0);
  expect(begun.length).toBe(2);
  await end();
  expect(begun.length).toBe(3);
  await end(4);
  expect(begun.length).toBe(5);
});

test('serves waiting callers in turns, however many tasks one of them submits', async () => {
  const { ask, begun, end } = workshop(1);
  for (const who of ['a', 'a', 'a', 'a', 'b', 'c', 'b']) void ask(who);
  await end(7);
  expect(begun.join('')).toBe('aabcaba');
});

test('never starts an aborted task, and does not delay others', async () => {
  const { ask, begun, end } = workshop(1);
  void ask('a');
  const [gone, late] = [new AbortController(), ask('a', AbortSignal.abort(new Error('late')))];
  await expect(late).rejects.toThrow('late');
  const left = ask('b', gone.signal);
  const other = ask('b');
  void ask('c');
  gone.abort(new Error('gone'));
  await expect(left).rejects.toThrow('gone');
  await end(3);
  await other;
  expect(begun.join('')).toBe('abc');
});

test('frees its slot when a task fails', async () => {
  const turns = createFairTurns(1);
  const fails = () => Promise.reject(new Error('no'));
  await expect(turns.run('a', undefined, fails)).rejects.toThrow('no');
  expect(await turns.run('a', undefined, async () => 'done')).toBe('done');
});
