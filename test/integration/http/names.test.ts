/** Usernames over HTTP: registration, lookup, and accounts created under older rules. */
import { describe, expect, test } from 'vitest';
import { createKeys } from '../../../src/store/redis/keys.ts';
import { listen, login, person, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testStore } from '../../kit/store.ts';

const PASSWORD = 'correct horse battery';
const register = (node: TestNode, username: string) =>
  call(node, 'register', { body: { username, password: PASSWORD } });

describe('two usernames cannot look the same', () => {
  test.each([
    ['alice', 'a1ice'],
    ['bob1', 'bobl'],
    ['modern', 'modem'],
    ['coco', 'сосо'],
    ['isa', 'ısa'],
    ['strasse', 'Straße'],
    ['σας', 'ΣΑΣ'],
    ['カ', '力'],
    ['علی\u200cرضا', 'علیرضا'],
  ])('%s and %s cannot both be registered', async (one, other) => {
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const node = await startNode();
      expect((await register(node, first)).status).toBe(201);
      const before = await everything(node);
      expectProblem(await register(node, second), 'username_taken');
      expect(await everything(node)).toEqual(before);
    }
  });

  test('even if they are registered at the same time on two nodes', async () => {
    const one = await startNode();
    const two = await startNode({}, { prefix: one.prefix });
    const names = ['alice', 'a1ice', 'аӏісе', 'ALICE', 'alіcе'.replace('l', 'ӏ').replace('a', 'а')];
    const answers = await Promise.all(names.map((name, n) => register(n % 2 ? one : two, name)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1);
    const details = answers.filter(({ status }) => status === 409).map(({ body }) => body.detail);
    expect(details).not.toHaveLength(0);
    expect(details.some((detail) => detail.includes('looks the same'))).toBe(true);
  });

  test('a skeleton reserved for an account that was never created is free', async () => {
    const node = await startNode();
    const store = await testStore(node.prefix);
    await register(node, 'alice');
    const alice = store.keys.account('alice');
    const { skeleton } = await store.commands.hgetall(alice);
    await store.commands.del(alice); // as if the node had died between the two steps
    expectProblem(await register(node, 'a1ice'), 'username_taken'); // or as if it were about to take the second one
    await store.commands.hincrby(store.keys.skeleton(skeleton!), 'reservedAt', -61_000);
    expect((await register(node, 'a1ice')).status).toBe(201);
    expectProblem(await register(node, 'alice'), 'username_taken');
  });
});

test.each(['ali\u200cce', 'alice\ufe0f', '\u3164', 'аlice', `a${'\u0315'.repeat(31)}`, 'علی١2', 'אב-'])(
  'rejects the username %j at registration, and does not find it',
  async (username) => {
    const node = await startNode();
    const { token } = await person(node, 'bob');
    const before = await everything(node);
    expectProblem(await register(node, username), 'validation_failed', '/username');
    expect(await everything(node)).toEqual(before);
    expectProblem(await call(node, 'getUser', { token, path: { username } }), 'unknown_user');
    expectProblem(
      await tell({ node, token, username: 'bob', refreshToken: '' }, username, 'x'),
      'unknown_user',
    );
    expectProblem(await call(node, 'login', { body: { username, password: PASSWORD } }), 'bad_credentials');
  },
);

test.each([
  ['نسترن\u200cزاده', 'نسترن\u200cزاده'],
  ['امیر\u200cحسین', 'امیرحسین'],
  ['ශ්\u200dරී', 'ශ්\u200dරී'],
  ['അവന്\u200d', 'അവന്\u200d'],
  ['山田たろう', '山田たろう'],
  ['İbrahim', 'ibrahim'],
  ['Weiß', 'weiss'],
])('%s registers, logs in and receives messages as %s', async (name, canonical) => {
  const node = await startNode();
  const them = await person(node, name);
  expect(them.username).toBe(canonical);
  const bob = await person(node, 'bob');
  const stream = await listen(them);
  expect((await tell(bob, name, 'hello')).status).toBe(201);
  expect((await stream.next('dm')).data).toMatchObject({ to: canonical, text: 'hello' });
  expect((await call(node, 'getUser', { token: bob.token, path: { username: canonical } })).status).toBe(200);
});

/** A node whose accounts were created by a release without these rules. */
async function nodeWithOldAccounts(...usernames: string[]): Promise<TestNode> {
  const first = await startNode();
  await register(first, 'template');
  const { commands, keys } = await testStore(first.prefix);
  const { skeleton, ...template } = await commands.hgetall(keys.account('template'));
  for (const username of usernames)
    await commands.hset(keys.account(username), { ...template, displayName: username });
  await commands.del(keys.skeletons, keys.skeleton(skeleton!));
  await commands.hdel(keys.account('template'), 'skeleton');
  await first.close();
  return startNode({}, { prefix: first.prefix });
}

describe('accounts created under older rules', () => {
  const OLD = [
    'straße',
    'i\u0307zmir',
    'ς',
    'аlice',
    'bob\ufe0f',
    '\u1160',
    'ꮳꮃꭹ',
    'a\u0301\u0301'.normalize('NFC'),
  ];

  test.each(OLD)('%j can log in, refresh, be looked up and receive messages', async (username) => {
    const node = await nodeWithOldAccounts(username);
    const them = await login(node, username);
    expect(them.username).toBe(username);
    const refreshed = await call(node, 'refresh', { body: { refreshToken: them.refreshToken } });
    expect(refreshed.body.account.username).toBe(username);
    const template = await login(node, 'template');
    const { body } = await call(node, 'getUser', { token: template.token, path: { username } });
    expect(body.username).toBe(username);
    const stream = await listen(them);
    expect((await tell(template, username, 'hello')).status).toBe(201);
    expect((await stream.next('dm')).data.to).toBe(username);
    expect((await call(node, 'listDirect', { token: template.token, path: { username } })).status).toBe(200);
  });

  test('an older name is found by its exact spelling, and the newer one by its canonical form', async () => {
    const node = await nodeWithOldAccounts('straße', 'strasse');
    expect((await login(node, 'Straße')).username).toBe('straße');
    expect((await login(node, 'STRASSE')).username).toBe('strasse');
  });

  test('cannot be imitated by new registrations', async () => {
    const node = await nodeWithOldAccounts('straße', 'аlice', 'alice2');
    const answers: string[] = [];
    await until('the names are read', async () => {
      const { status, body, headers } = await register(node, 'carol');
      if (status === 503) expect(headers['retry-after']).toBe('1');
      answers.push(status === 201 ? 'registered' : body.code);
      return status === 201;
    });
    expect(answers.slice(0, -1).every((code) => code === 'unavailable')).toBe(true);
    for (const name of ['strasse', 'alice', 'a1ice2', 'STRASSE'])
      expectProblem(await register(node, name), 'username_taken');
  });

  test('an account that an older node creates gets its skeleton at its next login', async () => {
    const node = await startNode();
    await register(node, 'template');
    const { commands, keys } = await testStore(node.prefix);
    const { skeleton: _, ...template } = await commands.hgetall(keys.account('template'));
    await commands.hset(keys.account('аlice'), template);
    await login(node, 'аlice');
    expectProblem(await register(node, 'alice'), 'username_taken');
  });

  test('are migrated in batches, each once and never again', async () => {
    const node = await nodeWithOldAccounts(...Array.from({ length: 1_300 }, (_, n) => `old${n}`));
    await until('the names are read', async () => (await register(node, 'carol')).status === 201);
    const { commands, keys } = await testStore(node.prefix);
    const stored = await commands.keys(`${node.prefix}skeleton:*`);
    const skeletons = Array.from({ length: 1_300 }, (_, n) =>
      `old${n}`.replaceAll('1', 'l').replaceAll('0', 'o'),
    );
    expect(stored).toHaveLength(new Set(skeletons).size + 2);
    await commands.hset(keys.account('late'), await commands.hgetall(keys.account('carol')));
    await startNode({}, { prefix: node.prefix });
    expect((await register(node, '1ate')).status).toBe(201);
  });
});

test('a prefix with glob characters matches only its own accounts', () => {
  const keys = createKeys('a*b?[c]\\:', '');
  expect(keys.accounts).toBe('a\\*b\\?\\[c\\]\\\\:{???}:account:*');
  expect(keys.usernameIn(keys.account('bob'))).toBe('bob');
});
