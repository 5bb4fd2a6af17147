import { availableParallelism } from 'node:os';
import bcrypt from 'bcrypt';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createPasswords } from '../../src/chat/passwords.ts';

const COST = 4;

test('a password matches its own hash and nothing else', async () => {
  const passwords = createPasswords(COST, 1);
  const hash = await passwords.hash('correct horse battery');
  expect(hash).toMatch(/^\$2b\$04\$/);
  expect(await passwords.matches('correct horse battery', hash)).toBe(true);
  expect(await passwords.matches('correct horse batterY', hash)).toBe(false);
  expect(await passwords.matches('correct horse battery\0', hash)).toBe(false);
  expect(await passwords.matches('correct horse battery\0and more', hash)).toBe(false);
  expect(await passwords.matches('', hash)).toBe(false);
});

test('where there is no account nothing matches, not even what is compared with instead', async () => {
  expect(await createPasswords(COST, 1).matches('nobody', undefined)).toBe(false);
});

test('of a password beyond 72 bytes bcrypt sees only the first 72: it never matches', async () => {
  const passwords = createPasswords(COST, 1);
  const hash = await passwords.hash('x'.repeat(72));
  expect(await passwords.matches('x'.repeat(72), hash)).toBe(true);
  expect(await passwords.matches('x'.repeat(73), hash)).toBe(false);
  expect(await passwords.matches(`${'x'.repeat(72)}é`, hash)).toBe(false);
});

test.each([1, 3])(
  'a crowd beyond the queue is told `busy` at once; those inside are served, and then there is room again (%i workers)',
  async (workers) => {
    const passwords = createPasswords(COST, workers);
    const room = Math.max(1, Math.floor((availableParallelism() - 1) / workers)) * 16;
    const crowd = Array.from({ length: room + 5 }, (_, n) => passwords.hash(`password ${n}`));
    const outcomes = await Promise.allSettled(crowd);
    const refused = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(refused).toHaveLength(5);
    for (const problem of refused) expect(problem).toMatchObject({ code: 'busy', retryAfterSeconds: 2 });
    expect(outcomes.slice(0, room).every(({ status }) => status === 'fulfilled')).toBe(true);
    await expect(passwords.hash('after the crowd')).resolves.toMatch(/^\$2b\$/);
  },
);

// A queue that was bounded by count alone let in, on a busy machine, who was then told that it had taken too long.
test('nobody is let in who would wait longer than a request may take', async () => {
  const HASH_MS = 700;
  vi.useFakeTimers();
  const slow = vi.spyOn(bcrypt, 'hash').mockImplementation(() => sleep(HASH_MS));
  onTestFinished(() => {
    slow.mockRestore();
    vi.useRealTimers();
  });
  const passwords = createPasswords(COST, 64);
  void passwords.hash('how long it takes');
  await vi.advanceTimersByTimeAsync(HASH_MS);
  const waited: number[] = [];
  let refused = 0;
  for (let n = 0; n < 16; n += 1) {
    const beganAtMs = performance.now();
    passwords.hash(`password ${n}`).then(
      () => waited.push(performance.now() - beganAtMs - HASH_MS),
      () => {
        refused += 1;
      },
    );
  }
  await vi.advanceTimersByTimeAsync(60_000);
  expect(waited).toEqual([0, 1, 2, 3, 4, 5].map((before) => before * HASH_MS));
  expect(refused).toBe(10);
});

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
