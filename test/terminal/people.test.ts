/** Who is online, as the terminal knows it, while lists and events cross. */
import { expect, test } from 'vitest';
import { createPeople } from '../../src/terminal/people.ts';

type Page = { total: number; users: { username: string; displayName: string; since: string }[] };

const pageOf = (...names: string[]): Page => ({
  total: names.length,
  users: names.map((username) => ({ username, displayName: username, since: '2026-11-28T12:00:00.000Z' })),
});

/** A list that comes when it is told to. */
function asked(people: ReturnType<typeof createPeople>) {
  let answer: (page: Page | undefined) => void = () => {};
  const loaded = people.load(() => new Promise((resolve) => (answer = resolve)));
  return (page: Page | undefined): Promise<void> => {
    answer(page);
    return loaded;
  };
}

test('what happens while a list is on its way is newer than the list', async () => {
  const people = createPeople();
  const answer = asked(people);
  people.apply({ kind: 'presence', total: 2, online: ['carol'], offline: ['alice'] });
  await answer(pageOf('alice', 'bob'));
  expect([people.names(), people.total()]).toEqual([['bob', 'carol'], 2]);
});

// A connection that came back twice asked twice, and the second answer ended the program.
test.each(['first', 'second'])(
  'of two lists on their way the later one counts, when the %s comes first',
  async (which) => {
    const people = createPeople();
    const [older, newer] = [asked(people), asked(people)];
    people.apply({ kind: 'presence', total: 3, online: ['dave'], offline: [] });
    if (which === 'first') await older(pageOf('alice'));
    await newer(pageOf('bob', 'carol'));
    if (which === 'second') await older(pageOf('alice'));
    expect([people.names(), people.total()]).toEqual([['bob', 'carol', 'dave'], 3]);
  },
);

test('without a list all stays', async () => {
  const people = createPeople();
  await asked(people)(pageOf('alice'));
  await asked(people)(undefined);
  expect(people.names()).toEqual(['alice']);
});
