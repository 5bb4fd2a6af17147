import bcrypt from 'bcrypt';
import { expect, onTestFinished, test, vi } from 'vitest';
import { passwordThreads } from '../../src/chat/password-threads.ts';
import { createPasswords, type KeptPassword } from '../../src/chat/passwords.ts';

const COST = 4;

function passwordsOf(cost: number) {
  const passwords = createPasswords({ cost, workers: 1, log: { error: vi.fn() } });
  const inTurn = async <T>(work: (place: ReturnType<typeof passwords.enter>) => Promise<T>): Promise<T> => {
    const place = passwords.enter({ networks: [{ key: '192.0.2.1', factor: 1 }], who: undefined });
    return work(place).finally(() => place.leave());
  };
  return {
    hash: (password: string) => inTurn((place) => passwords.hash(place, password)),
    matches: (password: string, hash: string | undefined, isPrepared = true) => {
      const kept: KeptPassword | undefined = hash === undefined ? undefined : { hash, isPrepared };
      return inTurn((place) => passwords.matches(place, password, kept));
    },
    isOutdated: passwords.isOutdated,
  };
}

test('a password matches its own hash and nothing else', async () => {
  const { hash, matches } = passwordsOf(COST);
  const kept = await hash('correct horse battery');
  expect(kept).toMatch(/^\$2b\$04\$/);
  expect(await matches('correct horse battery', kept)).toBe(true);
  expect(await matches('correct horse batterY', kept)).toBe(false);
  expect(await matches('correct horse battery\0', kept)).toBe(false);
  expect(await matches('correct horse battery\0and more', kept)).toBe(false);
  expect(await matches('', kept)).toBe(false);
});

test('nothing matches an unknown account or an invalid hash', async () => {
  const { matches } = passwordsOf(COST);
  expect(await matches('nobody', undefined)).toBe(false);
  expect(await matches('nobody', 'not a hash')).toBe(false);
});

test('a password longer than 72 bytes, which bcrypt would truncate, never matches', async () => {
  const { hash, matches } = passwordsOf(COST);
  const kept = await hash(`${'xy'.repeat(36)}`);
  expect(await matches('xy'.repeat(36), kept)).toBe(true);
  expect(await matches(`${'xy'.repeat(36)}x`, kept)).toBe(false);
  expect(await matches(`${'xy'.repeat(36)}é`, kept)).toBe(false);
});

test('ignores how letters and spaces are composed, except for hashes of passwords as typed', async () => {
  const { hash, matches } = passwordsOf(COST);
  const [composed, decomposed] = ['crème\u00a0brûlée', 'cre\u0300me bru\u0302le\u0301e'];
  for (const kept of [await hash(composed), await hash(decomposed)])
    for (const typed of [composed, decomposed]) expect(await matches(typed, kept)).toBe(true);
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

/** The work of bcrypt: each cost step doubles it. */
function countWork(): { rounds: number } {
  const done = { rounds: 0 };
  const compare = passwordThreads.compare;
  const spy = vi.spyOn(passwordThreads, 'compare').mockImplementation((password, hash) => {
    done.rounds += 2 ** bcrypt.getRounds(hash);
    return compare(password, hash);
  });
  onTestFinished(() => spy.mockRestore());
  return done;
}

test.each([
  ['lower', 4],
  ['the same', 7],
  ['higher', 9],
])(
  'a mismatch takes the same work for an account with a %s cost as for an unknown account',
  async (_, cost) => {
    const { matches } = passwordsOf(7);
    const kept = await bcrypt.hash('correct horse', cost);
    await matches('wrong', kept); // now it is known what the costliest account takes
    const done = countWork();
    const spent = async (attempt: () => Promise<boolean>) => {
      done.rounds = 0;
      expect(await attempt()).toBe(false);
      return done.rounds;
    };
    const ofNobody = await spent(() => matches('wrong', undefined));
    expect(ofNobody).toBe(2 ** Math.max(7, cost));
    expect(await spent(() => matches('wrong', kept))).toBe(ofNobody);
    expect(await spent(() => matches('wrong', kept, false))).toBe(ofNobody);
    expect(await spent(() => matches(`${'x'.repeat(72)}y`, kept))).toBe(ofNobody);
    expect(await matches('correct horse', kept)).toBe(true);
  },
);
