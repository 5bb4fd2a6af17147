/** The terminal's list of who is online, when loads and presence events overlap. */
import { expect, test } from 'vitest';
import { createPresence } from '../../../clients/cli/src/presence.ts';

type Page = { total: number; users: { username: string; displayName: string; since: string }[] };

const pageOf = (...names: string[]): Page => ({
  total: names.length,
  users: names.map((username) => ({ username, displayName: username, since: '2026-11-28T12:00:00.000Z' })),
});

/** Starts a load; the returned function delivers its response. */
function startLoad(presence: ReturnType<typeof createPresence>) {
  let answer: (page: Page | undefined) => void = () => {};
  const loaded = presence.load(() => new Promise((resolve) => (answer = resolve)));
  return (page: Page | undefined): Promise<void> => {
    answer(page);
    return loaded;
  };
}

test('presence events that arrive during a load are applied on top of it', async () => {
  const presence = createPresence();
  const answer = startLoad(presence);
  presence.apply({ kind: 'presence', total: 2, online: ['carol'], offline: ['alice'] });
  await answer(pageOf('alice', 'bob'));
  expect([presence.names(), presence.total()]).toEqual([['bob', 'carol'], 2]);
});

// Two reconnects in quick succession start two loads; the second answer used to crash the client.
test.each(['first', 'second'])(
  'of two overlapping loads the later one wins, when the %s is answered first',
  async (which) => {
    const presence = createPresence();
    const [older, newer] = [startLoad(presence), startLoad(presence)];
    presence.apply({ kind: 'presence', total: 3, online: ['dave'], offline: [] });
    if (which === 'first') await older(pageOf('alice'));
    await newer(pageOf('bob', 'carol'));
    if (which === 'second') await older(pageOf('alice'));
    expect([presence.names(), presence.total()]).toEqual([['bob', 'carol', 'dave'], 3]);
  },
);

test('a load without an answer changes nothing', async () => {
  const presence = createPresence();
  await startLoad(presence)(pageOf('alice'));
  await startLoad(presence)(undefined);
  expect(presence.names()).toEqual(['alice']);
});
