import bcrypt from 'bcrypt';
import { expect, onTestFinished, test, vi } from 'vitest';
import { createPasswordThreads } from '../../../src/chat/password-threads.ts';
import { createPasswords, type StoredPassword } from '../../../src/chat/passwords.ts';

const COST = 4;
const threads = createPasswordThreads();

function passwordsOf(cost: number) {
  const passwords = createPasswords({ cost, workers: 1, log: { error: vi.fn() }, threads });
  const withPlace = async <T>(
    work: (place: ReturnType<typeof passwords.enter>) => Promise<T>,
  ): Promise<T> => {
    const place = passwords.enter({ networks: [{ key: '192.0.2.1', factor: 1 }], account: undefined });
    return work(place).finally(() => place.leave());
  };
  return {
    hash: (password: string) => withPlace((place) => passwords.hash(place, password)),
    matches: (password: string, hash: string | undefined, isPrepared = true) => {
      const stored: StoredPassword | undefined = hash === undefined ? undefined : { hash, isPrepared };
      return withPlace((place) => passwords.matches(place, password, stored));
    },
    isOutdated: passwords.isOutdated,
  };
}

test('a password matches its own hash and nothing else', async () => {
  const { hash, matches } = passwordsOf(COST);
  const correct = await hash('correct horse battery');
  expect(correct).toMatch(/^\$2b\$04\$/);
  expect(await matches('correct horse battery', correct)).toBe(true);
  expect(await matches('correct horse batterY', correct)).toBe(false);
  expect(await matches('correct horse battery\0', correct)).toBe(false);
  expect(await matches('correct horse battery\0and more', correct)).toBe(false);
  expect(await matches('', correct)).toBe(false);
});

test('nothing matches an unknown account or an invalid hash', async () => {
  const { matches } = passwordsOf(COST);
  expect(await matches('nobody', undefined)).toBe(false);
  expect(await matches('nobody', 'not a hash')).toBe(false);
});

test('a password longer than 72 bytes, which bcrypt would truncate, never matches', async () => {
  const { hash, matches } = passwordsOf(COST);
  const longest = await hash(`${'xy'.repeat(36)}`);
  expect(await matches('xy'.repeat(36), longest)).toBe(true);
  expect(await matches(`${'xy'.repeat(36)}x`, longest)).toBe(false);
  expect(await matches(`${'xy'.repeat(36)}é`, longest)).toBe(false);
});

test('ignores how letters and spaces are composed, except for hashes of passwords as typed', async () => {
  const { hash, matches } = passwordsOf(COST);
  const [composed, decomposed] = ['crème\u00a0brûlée', 'cre\u0300me bru\u0302le\u0301e'];
  for (const prepared of [await hash(composed), await hash(decomposed)])
    for (const typed of [composed, decomposed]) expect(await matches(typed, prepared)).toBe(true);
  const asTyped = await bcrypt.hash(decomposed, COST);
  expect(await matches(decomposed, asTyped, false)).toBe(true);
  expect(await matches(composed, asTyped, false)).toBe(false);
});

test('reports a hash as outdated if its cost differs or the password was not prepared', async () => {
  const { isOutdated } = passwordsOf(6);
  const hash = await bcrypt.hash('correct horse', 6);
  expect(isOutdated('correct horse', { hash, isPrepared: true })).toBe(false);
  expect(isOutdated('correct horse', { hash, isPrepared: false })).toBe(true);
  for (const cost of [4, 7])
    expect(isOutdated('x', { hash: await bcrypt.hash('x', cost), isPrepared: true })).toBe(true);
});

/** Counts the rounds of bcrypt: each cost step doubles them. */
function countRounds(): { rounds: number } {
  const work = { rounds: 0 };
  const compare = threads.compare;
  const spy = vi.spyOn(threads, 'compare').mockImplementation((password, hash) => {
    work.rounds += 2 ** bcrypt.getRounds(hash);
    return compare(password, hash);
  });
  onTestFinished(() => spy.mockRestore());
  return work;
}

test.each([
  ['lower', 4],
  ['the same', 7],
  ['higher', 9],
])(
  'a mismatch takes the same work for an account with a %s cost as for an unknown account',
  async (_, cost) => {
    const { matches } = passwordsOf(7);
    const stored = await bcrypt.hash('correct horse', cost);
    await matches('wrong', stored); // from here on, this is the highest cost
    const work = countRounds();
    const roundsOf = async (attempt: () => Promise<boolean>) => {
      work.rounds = 0;
      expect(await attempt()).toBe(false);
      return work.rounds;
    };
    const unknownAccount = await roundsOf(() => matches('wrong', undefined));
    expect(unknownAccount).toBe(2 ** Math.max(7, cost));
    expect(await roundsOf(() => matches('wrong', stored))).toBe(unknownAccount);
    expect(await roundsOf(() => matches('wrong', stored, false))).toBe(unknownAccount);
    expect(await roundsOf(() => matches(`${'x'.repeat(72)}y`, stored))).toBe(unknownAccount);
    expect(await matches('correct horse', stored)).toBe(true);
  },
);
