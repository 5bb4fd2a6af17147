/**
 * Databases that were filled by earlier releases (scripts/record-data.mjs: 9269ab0, and 7c93565, the last release before
 * the data version) answer as they did there.
 */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { openData } from '../../../src/store/migration/open-data.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { listen, login, type Person, startNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { loadRecording, recordingOf } from '../../kit/recording.ts';
import { everything } from '../../kit/state.ts';
import { testStore } from '../../kit/store.ts';

const RELEASES = ['9269ab0', '7c93565'];

const newPrefix = () => `test-${randomUUID().slice(0, 8)}:`;

const options = (store: Store, prefix: string) => ({
  ...{ store, prefix, claimant: randomUUID(), limits: { inbox: 20, inboxBytes: 2 ** 24 } },
  log: { info: () => {}, warn: () => {} },
});

async function answersOf(person: Person) {
  const { token, node } = person;
  const { body: conversations } = await call(node, 'listConversations', { token });
  const names: string[] = conversations.conversations.map((each: { with: string }) => each.with);
  const histories: Record<string, object> = {};
  for (const username of names)
    histories[username] = (await call(node, 'listDirect', { token, path: { username } })).body;
  return {
    mailbox: (await call(node, 'getMailbox', { token, query: { limit: 100 } })).body,
    conversations,
    broadcasts: (await call(node, 'listBroadcasts', { token })).body,
    histories,
  };
}

test.each(RELEASES)('the data of release %s is answered as it was, and goes on', async (release) => {
  const recording = recordingOf(release);
  const prefix = newPrefix();
  await loadRecording(await testStore(prefix), prefix, recording);
  const node = await startNode({ INBOX_LIMIT: '20' }, { prefix });
  const people = Object.keys(recording.answers);
  // `history` became relative to the stream's URL after 9269ab0.
  for (const { mailbox } of Object.values(recording.answers)) if (mailbox.gap) mailbox.gap.history = 'dm';
  for (const name of people)
    expect([name, await answersOf(await login(node, name))]).toEqual([name, recording.answers[name]]);

  const bob = await login(node, 'bob');
  const stream = await listen(bob, { lastEventId: recording.cursors['bob']! });
  expect((await stream.next('dm')).data).toMatchObject({ text: 'after the cursor' });
  expect((await stream.next('broadcast')).data).toMatchObject({ text: 'a broadcast after the cursor' });
  expect(stream.events.map(({ kind }) => kind)).not.toContain('gap');

  const alice = await login(node, 'alice');
  const inputs = { token: alice.token, path: { username: 'bob' }, body: { text: 'to bob 1' } };
  const repeat = await call(node, 'sendDirect', { ...inputs, headers: { 'Idempotency-Key': 'dm-key-1' } });
  expect(repeat.body.id).toBe(recording.ids[0]);
  const sent = await tell(alice, 'bob', 'after the migration');
  expect(sent.body.seq).toBe(7);
  expect((await stream.next('dm')).data).toMatchObject({ text: 'after the migration' });
  const { body } = await call(node, 'ackMailbox', { token: bob.token, body: { upTo: sent.body.id } });
  expect(body.unread).toBe(0);
});

/** The first `calls` scripts run; then the node dies. */
function dying(store: Store, calls: number): Store {
  let left = calls;
  const run: Store['run'] = (name, keys, args) => {
    left -= 1;
    return left < 0 ? Promise.reject(new Error('died')) : store.run(name, keys, args);
  };
  return { ...store, run };
}

test.each(RELEASES)(
  'a migration of %s that dies at any script is finished by another node',
  async (release) => {
    const recording = recordingOf(release);
    const migrated = async (deaths: number[]) => {
      const prefix = newPrefix();
      const store = await testStore(prefix);
      await loadRecording(store, prefix, recording);
      const one = options(store, prefix);
      for (const calls of deaths)
        await expect(openData({ ...one, store: dying(store, calls) })).rejects.toThrow('died');
      await openData(one);
      const all = Object.entries(await everything({ prefix }));
      return Object.fromEntries(all.map(([key, value]) => [key.slice(prefix.length), value]));
    };
    const whole = await migrated([]);
    expect(Object.keys(whole).filter((key) => /^(inbox|conversations?|account|session)/.test(key))).toEqual(
      [],
    );
    expect(await migrated([1, 2, 3, 4, 5, 6, 2])).toEqual(whole);
  },
);

test('two nodes that convert at the same time, because one stood still, store everything once', async () => {
  const recording = recordingOf('7c93565');
  const [prefix, other] = [newPrefix(), newPrefix()];
  for (const each of [prefix, other]) await loadRecording(await testStore(each), each, recording);
  const [one, alone] = [await testStore(prefix), await testStore(other)];
  await openData(options(alone, other));
  const run: Store['run'] = (name, keys, args) => forget(one).then(() => one.run(name, keys, args));
  await Promise.all([openData(options(one, prefix)), openData(options({ ...one, run }, prefix))]);
  const contents = async (of: string) =>
    Object.fromEntries(
      Object.entries(await everything({ prefix: of })).map(([key, value]) => [key.slice(of.length), value]),
    );
  expect(await contents(prefix)).toEqual(await contents(other));
});

/** As if the node that holds the claim had not been heard for long. */
const forget = ({ commands, keys }: Store) => commands.hset(keys.realm, 'migrating', 'silent 1');

test('data that has lost its heartbeats is converted; keys of other prefixes stay', async () => {
  const recording = recordingOf('9269ab0');
  const prefix = newPrefix();
  const store = await testStore(prefix);
  await loadRecording(store, prefix, recording);
  await store.commands.del(`${prefix}nodes`, `${prefix}{broadcasts}:meta`);
  const others = [
    ...['account:{abc}:account:eve', 'online:{abc}:account:eve', 'online:online:{1}'],
    'x:{abc}:inbox:e:migration:y',
  ];
  for (const name of others) await store.commands.hset(prefix + name, 'of', 'another prefix');
  await openData(options(store, prefix));
  expect(await store.commands.hget(store.keys.account('alice'), 'displayName')).toBe('alice');
  for (const name of others) expect([name, await store.commands.exists(prefix + name)]).toEqual([name, 1]);
});

test('after a conversion, heartbeats of an earlier release fail', async () => {
  const prefix = newPrefix();
  const store = await testStore(prefix);
  await loadRecording(store, prefix, recordingOf('9269ab0'));
  await openData(options(store, prefix));
  await expect(store.commands.hset(`${prefix}nodes`, 'an-earlier-node', 1)).rejects.toThrow('WRONGTYPE');
});

test('refuses to start while an earlier node runs or another node migrates, and on data of a later release', async () => {
  const prefix = newPrefix();
  const store = await testStore(prefix);
  await loadRecording(store, prefix, recordingOf('9269ab0'));
  const before = await everything({ prefix });
  await store.commands.hset(`${prefix}nodes`, 'another', Date.now());
  await expect(openData(options(store, prefix))).rejects.toThrow('a node of that release still runs');
  await store.commands.hset(`${prefix}nodes`, 'another', Date.now() - 16_000);
  await store.commands.hset(store.keys.realm, 'migrating', `another ${Date.now()}`);
  await expect(openData(options(store, prefix))).rejects.toThrow('Another node is converting');
  await store.commands.hdel(store.keys.realm, 'migrating');
  await store.commands.hset(store.keys.realm, 'version', 3);
  await expect(openData(options(store, prefix))).rejects.toThrow('data of version 3');
  await store.commands.hdel(store.keys.realm, 'version');
  await store.commands.hdel(`${prefix}nodes`, 'another');
  expect(await everything({ prefix })).toEqual(before); // neither a claim nor a conversion
});

test('an empty database gets the version, and keeps it', async () => {
  const prefix = newPrefix();
  const store = await testStore(prefix);
  await openData(options(store, prefix));
  expect(await store.commands.hget(store.keys.realm, 'version')).toBe('2');
  await openData({ ...options(store, prefix), store: dying(store, 0) });
});
