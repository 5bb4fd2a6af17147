import { describe, expect, test } from 'vitest';
import { listen, login, type Person, person, startNode, type TestNode, until } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testStore } from '../../kit/store.ts';

/** Nodes notify each other immediately; the periodic comparison would take longer than this. */
const NOTIFIED_WITHIN_MS = 2_000;

const me = (who: Person, node: TestNode = who.node): Promise<CallResult> =>
  call(node, 'getMe', { token: who.token });
const refresh = (node: TestNode, refreshToken: string, nonce?: string): Promise<CallResult> =>
  call(node, 'refresh', { body: { refreshToken, nonce } });
const [NONCE, ANOTHER] = ['only-her-client-knows-this', 'somebody-elses-own-nonce'];

test('a refresh returns new tokens for the same session and the current state of the account', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const { status, body } = await refresh(node, alice.refreshToken);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    tokenType: 'Bearer',
    expiresIn: 3_600,
    account: { username: 'alice' },
    online: { total: 0, users: [] },
  });
  expect(body.refreshToken).not.toBe(alice.refreshToken);
  expect((await me({ ...alice, token: body.accessToken })).status).toBe(200);
  expect((await me(alice)).status, 'the old access token stays valid').toBe(200);
});

test('refresh tokens can be chained, on any node', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  let { refreshToken } = await person(node, 'alice');
  for (const at of [other, node, other]) {
    const { status, body } = await refresh(at, refreshToken);
    expect(status).toBe(200);
    refreshToken = body.refreshToken;
  }
});

describe('a refresh whose response was lost', () => {
  test('can be repeated with its nonce any number of times on any node, and returns the same next token', async () => {
    const node = await startNode();
    const other = await startNode({}, { prefix: node.prefix });
    const alice = await person(node, 'alice');
    const answers = [];
    for (const at of [node, other, node, other, node, other])
      answers.push(await refresh(at, alice.refreshToken, NONCE));
    for (const { status } of answers) expect(status).toBe(200);
    const nextTokens = new Set(answers.map(({ body }) => body.refreshToken));
    expect(nextTokens.size).toBe(1);
    expect((await me({ ...alice, token: answers.at(-1)!.body.accessToken })).status).toBe(200);
    expect((await refresh(node, [...nextTokens][0]!, ANOTHER)).status).toBe(200);
  });

  test('and its concurrent repeats all return a valid token', async () => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    const repeats = Array.from({ length: 8 }, () => refresh(node, alice.refreshToken, NONCE));
    for (const { status } of await Promise.all(repeats)) expect(status).toBe(200);
    const { body } = await repeats[3]!;
    expect((await refresh(node, body.refreshToken, NONCE)).status).toBe(200);
  });

  test('cannot be repeated after 30 s, and the session ends', async () => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    const sid = alice.refreshToken.split('.')[0]!;
    const { commands, keys } = await testStore(node.prefix);
    const age = (ms: number) => commands.hincrby(keys.session('alice', sid), 'refreshedAtMs', -ms);
    await refresh(node, alice.refreshToken, NONCE);
    await age(25_000);
    expect((await refresh(node, alice.refreshToken, NONCE)).status, 'after 25 s').toBe(200);
    await age(5_001);
    expectProblem(await refresh(node, alice.refreshToken, NONCE), 'bad_refresh_token');
    expectProblem(await me(alice), 'session_ended');
  });

  test.each([
    ['without a nonce', NONCE, undefined],
    ['with another nonce', NONCE, ANOTHER],
    ['with a nonce after a first use without one', undefined, NONCE],
    ['without a nonce after a first use without one', undefined, undefined],
  ])(
    'cannot be repeated %s: the token may be stolen, and the session ends immediately',
    async (_, first, second) => {
      const node = await startNode();
      const alice = await person(node, 'alice');
      const hers = await refresh(node, alice.refreshToken, first);
      expectProblem(await refresh(node, alice.refreshToken, second), 'bad_refresh_token');
      expectProblem(await refresh(node, hers.body.refreshToken, NONCE), 'bad_refresh_token');
      expectProblem(await me(alice), 'session_ended');
    },
  );

  test('cannot be repeated after the next token was used, even with its nonce', async () => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    const next = await refresh(node, alice.refreshToken, NONCE);
    expect((await refresh(node, next.body.refreshToken, NONCE)).status).toBe(200);
    expectProblem(await refresh(node, alice.refreshToken, NONCE), 'bad_refresh_token');
    expectProblem(await me(alice), 'session_ended');
  });

  test('returns a token that cannot be derived from the previous token, the nonce or stored data', async () => {
    const [node, stranger] = [await startNode(), await startNode()];
    const alice = await person(node, 'alice');
    const next = await refresh(node, alice.refreshToken, NONCE);
    const stored = JSON.stringify(await everything(node));
    for (const secret of [NONCE, next.body.refreshToken.split('.')[2]!]) expect(stored).not.toContain(secret);
    expectProblem(await refresh(stranger, next.body.refreshToken), 'bad_refresh_token');
  });

  test.each(['short', 'x'.repeat(129), 'sixteen or more, but spaces', ''])(
    'rejects the nonce %j',
    async (nonce) => {
      const node = await startNode();
      const alice = await person(node, 'alice');
      expectProblem(await refresh(node, alice.refreshToken, nonce), 'validation_failed');
      expect((await refresh(node, alice.refreshToken, NONCE)).status, 'the token was not consumed').toBe(200);
    },
  );
});

// During an upgrade another node may still run the previous release, which stored up to four valid tokens.
test('a session of the previous release continues with any of its valid tokens', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const { commands, keys } = await testStore(node.prefix);
  const key = keys.session('alice', alice.refreshToken.split('.')[0]!);
  await commands.hset(key, 'refreshHash', `${'A'.repeat(43)} ${await commands.hget(key, 'refreshHash')}`);
  const next = await refresh(node, alice.refreshToken, NONCE);
  expect((await refresh(node, next.body.refreshToken, NONCE)).status).toBe(200);
});

describe('a session ends', () => {
  const causes: [string, (alice: Person) => Promise<void>][] = [
    [
      'when a refresh token is reused after the next one was used',
      async ({ node, refreshToken }) => {
        const next = await refresh(node, refreshToken);
        const third = await refresh(node, next.body.refreshToken);
        expectProblem(await refresh(node, refreshToken), 'bad_refresh_token');
        expectProblem(await refresh(node, third.body.refreshToken), 'bad_refresh_token');
      },
    ],
    [
      'when it logs out',
      async ({ node, token, refreshToken }) => {
        expect((await call(node, 'logout', { token })).status).toBe(204);
        expectProblem(await refresh(node, refreshToken), 'bad_refresh_token');
      },
    ],
  ];

  test.each(causes)('%s: its token is rejected and its streams end, on both nodes', async (_, end) => {
    const node = await startNode();
    const other = await startNode({}, { prefix: node.prefix });
    const alice = await person(node, 'alice');
    const streams = [await listen(alice), await listen(alice, { node: other })];
    await end(alice);
    expectProblem(await me(alice), 'session_ended');
    expectProblem(await call(node, 'logout', { token: alice.token }), 'session_ended');
    for (const stream of streams) {
      expect((await stream.next('goodbye', NOTIFIED_WITHIN_MS)).data).toEqual({
        kind: 'goodbye',
        code: 'revoked',
        reconnect: false,
      });
      await until('the stream is closed', () => stream.isClosed);
    }
    await until(
      'the other node knows',
      async () => (await me(alice, other)).status === 401,
      NOTIFIED_WITHIN_MS,
    );
    expectProblem(await me(alice, other), 'session_ended');
  });

  test.each(causes)('%s: the other sessions of the account continue', async (_, end) => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    const phone = await login(node, 'alice');
    const stream = await listen(phone);
    await end(alice);
    expect((await me(phone)).status).toBe(200);
    expect((await refresh(node, phone.refreshToken)).status).toBe(200);
    expect(stream.isClosed).toBe(false);
  });

  test.each(causes)('%s: a node that starts later rejects it too', async (_, end) => {
    const node = await startNode();
    const alice = await person(node, 'alice');
    await end(alice);
    expectProblem(await me(alice, await startNode({}, { prefix: node.prefix })), 'session_ended');
  });
});

describe('an account with too many sessions', () => {
  test('loses the least recently used one on all nodes', async () => {
    const node = await startNode({ MAX_SESSIONS_PER_ACCOUNT: '3' });
    const other = await startNode({ MAX_SESSIONS_PER_ACCOUNT: '3' }, { prefix: node.prefix });
    const first = await person(node, 'alice');
    const second = await login(node, 'alice');
    await login(node, 'alice');
    await person(node, 'bob');
    const stream = await listen(second, { node: other });
    expect((await refresh(node, first.refreshToken, NONCE)).status).toBe(200);
    await login(node, 'alice');
    expectProblem(await me(second), 'session_ended');
    expectProblem(await refresh(node, second.refreshToken), 'bad_refresh_token');
    expect((await stream.next('goodbye', NOTIFIED_WITHIN_MS)).data).toMatchObject({ code: 'revoked' });
    await until(
      'the other node knows',
      async () => (await me(second, other)).status === 401,
      NOTIFIED_WITHIN_MS,
    );
    expect((await me(first)).status).toBe(200);
  });

  test('stays at the limit under concurrent logins, and a logout frees a place', async () => {
    const node = await startNode({ MAX_SESSIONS_PER_ACCOUNT: '3' });
    const alice = await person(node, 'alice');
    const { commands, keys } = await testStore(node.prefix);
    for (let n = 0; n < 8; n += 1) await Promise.all([login(node, 'alice'), login(node, 'alice')]);
    expectProblem(await me(alice), 'session_ended');
    expect((await commands.keys(keys.session('alice', '*'))).length).toBe(3);
    expect(Object.keys(await commands.hgetall(keys.sessions('alice'))).length).toBe(3);
    const phone = await login(node, 'alice');
    await call(node, 'logout', { token: phone.token });
    expect((await commands.keys(keys.session('alice', '*'))).length).toBe(2);
    expect(Object.keys(await commands.hgetall(keys.sessions('alice'))).length).toBe(2);
  });

  test('keeps sessions that were started before sessions were counted, and counts them from their next refresh', async () => {
    const node = await startNode({ MAX_SESSIONS_PER_ACCOUNT: '2' });
    const before = await person(node, 'alice');
    const { commands, keys } = await testStore(node.prefix);
    await commands.del(keys.sessions('alice'));
    await login(node, 'alice');
    const { body } = await refresh(node, before.refreshToken, NONCE);
    expect((await me({ ...before, token: body.accessToken })).status).toBe(200);
    await login(node, 'alice');
    expect((await refresh(node, body.refreshToken, NONCE)).status).toBe(200);
    expect((await commands.keys(keys.session('alice', '*'))).length).toBe(2);
  });

  test('does not count sessions that have expired', async () => {
    const node = await startNode({ MAX_SESSIONS_PER_ACCOUNT: '2', REFRESH_TTL_DAYS: '1' });
    const { commands, keys } = await testStore(node.prefix);
    const alice = await person(node, 'alice');
    await commands.hset(keys.sessions('alice'), 'long-gone', Date.now() - 86_400_001);
    await login(node, 'alice');
    expect((await me(alice)).status).toBe(200);
    expect(await commands.hexists(keys.sessions('alice'), 'long-gone')).toBe(0);
  });
});

test('an invalid refresh token is rejected and changes nothing', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const [sid, name, secret] = alice.refreshToken.split('.');
  const before = await everything(node);
  const foreign = [
    ...['x', '..', alice.token, alice.refreshToken.slice(0, -1), `${alice.refreshToken}x`],
    `${bob.refreshToken.split('.')[0]}.${name}.${secret}`, // bob's session with alice's name
    `${sid}.${bob.refreshToken.split('.')[1]}.${secret}`,
    `${'A'.repeat(22)}.${name}.${secret}`,
    `${sid}.${Buffer.from('*').toString('base64url')}.${secret}`,
    `${sid}.${Buffer.from('alice}:{alice').toString('base64url')}.${secret}`,
  ];
  for (const refreshToken of foreign) expectProblem(await refresh(node, refreshToken), 'bad_refresh_token');
  expect(await everything(node)).toEqual(before);
  expect((await me(alice)).status).toBe(200);
});

test('a wrong secret for an existing session ends it, because its token may be stolen', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const [sid, name] = alice.refreshToken.split('.');
  expectProblem(await refresh(node, `${sid}.${name}.${'A'.repeat(43)}`), 'bad_refresh_token');
  expectProblem(await me(alice), 'session_ended');
});

test('the stored data of a session contains no token', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const stored = JSON.stringify(await everything(node));
  expect(stored).toContain('refreshHash');
  for (const secret of [alice.token, alice.refreshToken, alice.refreshToken.split('.')[2]!, 'correct horse'])
    expect(stored).not.toContain(secret);
});
