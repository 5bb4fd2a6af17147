import { expect, test } from 'vitest';
import { createFairTurns } from '../../../src/store/fair-turns.ts';

/** Tasks that end on command; records the order in which they start. */
function createTurns(atOnce: number) {
  const turns = createFairTurns(atOnce);
  const started: string[] = [];
  const ends: (() => void)[] = [];
  const submit = (who: string, signal?: AbortSignal) =>
    turns.run(who, signal, () => {
      started.push(who);
      return new Promise<void>((resolve) => ends.push(resolve));
    });
  const end = async (count = 1) => {
    for (let n = 0; n < count; n += 1) {
      ends.shift()?.();
      await new Promise((go) => setImmediate(go));
    }
  };
  return { submit, started, end };
}

test('runs at most the given number of tasks at once', async () => {
  const { submit, started, end } = createTurns(2);
  for (let n = 0; n < 5; n += 1) void submit('a');
  await end(0);
  expect(started.length).toBe(2);
  await end();
  expect(started.length).toBe(3);
  await end(4);
  expect(started.length).toBe(5);
});

test('serves waiting callers in turns, however many tasks one of them submits', async () => {
  const { submit, started, end } = createTurns(1);
  for (const who of ['a', 'a', 'a', 'a', 'b', 'c', 'b']) void submit(who);
  await end(7);
  expect(started.join('')).toBe('aabcaba');
});

test('never starts an aborted task, and does not delay others', async () => {
  const { submit, started, end } = createTurns(1);
  void submit('a');
  const [controller, late] = [new AbortController(), submit('a', AbortSignal.abort(new Error('late')))];
  await expect(late).rejects.toThrow('late');
  const aborted = submit('b', controller.signal);
  const other = submit('b');
  void submit('c');
  controller.abort(new Error('aborted'));
  await expect(aborted).rejects.toThrow('aborted');
  await end(3);
  await other;
  expect(started.join('')).toBe('abc');
});

test('frees its slot when a task fails', async () => {
  const turns = createFairTurns(1);
  const fails = () => Promise.reject(new Error('no'));
  await expect(turns.run('a', undefined, fails)).rejects.toThrow('no');
  expect(await turns.run('a', undefined, async () => 'done')).toBe('done');
});
