import { describe, expect, test } from 'vitest';
import { listen, login, person, startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';

const PASSWORD = 'correct horse battery';

test('registration returns the account and the location of its profile', async () => {
  const node = await startNode();
  const { status, headers, body } = await call(node, 'register', {
    body: { username: 'Alice', password: PASSWORD, displayName: 'Alice Liddell' },
  });
  expect(status).toBe(201);
  expect(headers['location']).toBe('users/alice');
  expect(body).toEqual({
    username: 'alice',
    displayName: 'Alice Liddell',
    createdAt: expect.any(String),
    lastSeenAt: null,
  });
});

test('the Location of a non-ASCII username leads to its profile', async () => {
  const node = await startNode();
  const { headers } = await call(node, 'register', { body: { username: '张三', password: PASSWORD } });
  expect(headers['location']).toBe('users/%E5%BC%A0%E4%B8%89');
  const { token } = await person(node, 'alice');
  const profile = await send(node, 'GET', new URL(headers['location']!, `${node.url}/v1/register`).pathname, {
    token,
  });
  expect(profile.body).toEqual({ username: '张三', displayName: '张三', online: false, lastSeenAt: null });
});

test('the display name defaults to the username as it was sent', async () => {
  const node = await startNode();
  const { body } = await call(node, 'register', { body: { username: 'ＨＵＤ', password: PASSWORD } });
  expect(body).toMatchObject({ username: 'hud', displayName: 'HUD' });
});

test('only one of several concurrent registrations gets the username', async () => {
  const node = await startNode();
  const answers = await Promise.all(
    Array.from({ length: 5 }, () =>
      call(node, 'register', { body: { username: 'alice', password: PASSWORD } }),
    ),
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409, 409, 409]);
  for (const answer of answers.filter(({ status }) => status === 409))
    expectProblem(answer, 'username_taken');
});

test('registering again changes neither password nor display name', async () => {
  const node = await startNode();
  await person(node, 'alice');
  const before = await everything(node);
  const again = { username: 'ALICE', password: 'another password', displayName: 'Mallory' };
  expectProblem(await call(node, 'register', { body: again }), 'username_taken');
  expect(await everything(node)).toEqual(before);
  expectProblem(
    await call(node, 'login', { body: { username: 'alice', password: 'another password' } }),
    'bad_credentials',
  );
});

test('a login returns tokens, the account and who is online', async () => {
  const node = await startNode();
  await listen(await person(node, 'bob'));
  await call(node, 'register', { body: { username: 'alice', password: PASSWORD } });
  const { status, body } = await call(node, 'login', {
    body: { username: 'Alice', password: PASSWORD, device: 'laptop' },
  });
  expect(status).toBe(200);
  expect(body).toMatchObject({
    tokenType: 'Bearer',
    expiresIn: 3_600,
    account: { username: 'alice', displayName: 'alice' },
    online: { total: 1, users: [{ username: 'bob', displayName: 'bob', since: expect.any(String) }] },
  });
});

test('responses with tokens must not be cached', async () => {
  const node = await startNode();
  await person(node, 'alice');
  const loggedIn = await call(node, 'login', { body: { username: 'alice', password: PASSWORD } });
  const refreshed = await call(node, 'refresh', { body: { refreshToken: loggedIn.body.refreshToken } });
  for (const { headers } of [loggedIn, refreshed]) expect(headers['cache-control']).toBe('no-store');
});

test('an account can change its display name, and others see the new one', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const displayName = 'Алиса 🐇 "{}"';
  const body = { displayName: '  Алиса  🐇 "{}" ' };
  const changed = await call(node, 'updateMe', { token: alice.token, body });
  expect(changed).toMatchObject({ status: 200, body: { username: 'alice', displayName } });
  expect((await call(node, 'getMe', { token: alice.token })).body).toEqual(changed.body);
  const profile = await call(node, 'getUser', { token: bob.token, path: { username: 'alice' } });
  expect(profile.body).toMatchObject({ username: 'alice', displayName });
});

describe('lastSeenAt', () => {
  test('is null before the first login, and then the time of that login', async () => {
    const node = await startNode();
    const { body: created } = await call(node, 'register', {
      body: { username: 'alice', password: PASSWORD },
    });
    expect(created.lastSeenAt).toBeNull();
    const alice = await login(node, 'alice');
    const { body } = await call(node, 'getMe', { token: alice.token });
    expect(Date.parse(body.lastSeenAt)).toBeGreaterThanOrEqual(Date.parse(created.createdAt));
  });

  test('is the time at which the last stream ended', async () => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    const stream = await listen(alice);
    const profile = async () => (await call(node, 'getUser', { ...alice, path: { username: 'alice' } })).body;
    const before = await profile();
    expect(before.online).toBe(true);
    stream.close();
    await until('alice is offline', async () => !(await profile()).online, 10_000);
    await until('lastSeenAt is updated', async () => (await profile()).lastSeenAt > before.lastSeenAt);
  });
});

describe('different spellings of a name belong to one account', () => {
  test.each([
    ['Hud', ['hud', 'HUD', 'ＨＵＤ', 'ｈＵd']],
    ['émile', ['Émile', 'e\u0301mile', 'E\u0301MILE']],
    ['İzmir', ['i\u0307zmir', 'I\u0307ZMIR']],
    ['ﬁn', ['fin', 'FIN']],
    ['constructor', ['Constructor', 'CONSTRUCTOR']],
  ])('%s', async (first, others) => {
    const node = await startNode();
    const { username, token } = await person(node, first);
    for (const other of others) {
      const again = await call(node, 'register', { body: { username: other, password: PASSWORD } });
      expectProblem(again, 'username_taken');
      expect((await login(node, other)).username).toBe(username);
      expect((await call(node, 'getUser', { token, path: { username: other } })).body.username).toBe(
        username,
      );
      const note = await call(node, 'sendDirect', { token, path: { username: other }, body: { text: 'hi' } });
      expect(note.body).toMatchObject({ from: username, to: username });
    }
    const { body } = await call(node, 'listDirect', { token, path: { username: others[0]! } });
    expect(body.messages).toHaveLength(others.length);
  });
});

test('returns unknown_user for names that do not exist or are not valid', async () => {
  const node = await startNode();
  const { token } = await person(node, 'alice');
  const before = await everything(node);
  for (const username of [
    'nobody',
    '__proto__',
    '.',
    'a b',
    '{alice}',
    'alice*',
    'a:b',
    'a/b',
    '\0',
    '½',
    'é\n',
  ]) {
    const [path, body] = [{ username }, { text: 'hello?' }];
    expectProblem(await call(node, 'getUser', { token, path }), 'unknown_user');
    expectProblem(await call(node, 'sendDirect', { token, path, body }), 'unknown_user');
    expectProblem(await call(node, 'listDirect', { token, path }), 'unknown_user');
    expectProblem(await call(node, 'login', { body: { username, password: PASSWORD } }), 'bad_credentials');
  }
  expect(await everything(node)).toEqual(before);
});
