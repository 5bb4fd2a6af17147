import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { createDeviceTokens } from '../../../src/chat/device-tokens.ts';
import { parseSecrets } from '../../../src/secrets.ts';
import {
  JWT_SECRET,
  login,
  type Person,
  person,
  say,
  startNode,
  type TestNode,
  tell,
} from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testStore } from '../../kit/store.ts';

const PASSWORD = 'correct horse battery';
/** Trusts one proxy, so that a test can send from many addresses. */
const PROXIED = { TRUST_PROXY: '1' };

const tryLogin = (
  node: TestNode,
  username: string,
  password: string,
  address?: string,
): Promise<CallResult> =>
  call(node, 'login', {
    body: { username, password },
    ...(address && { headers: { 'X-Forwarded-For': address } }),
  });
const tryLoginFrom = (
  node: TestNode,
  username: string,
  password: string,
  deviceToken: string,
  address = '203.0.113.1',
): Promise<CallResult> =>
  call(node, 'login', {
    body: { username, password, deviceToken },
    headers: { 'X-Forwarded-For': address },
  });
const register = (node: TestNode, username: string, address?: string): Promise<CallResult> =>
  call(node, 'register', {
    body: { username, password: PASSWORD },
    ...(address && { headers: { 'X-Forwarded-For': address } }),
  });

function expectLimited(answer: CallResult, windowSeconds: number): void {
  expectProblem(answer, 'too_many_requests');
  expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(windowSeconds);
}

describe('failed logins', () => {
  test('of an account are limited across all networks; beyond the limit even the right password must wait', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    const other = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' }, { prefix: node.prefix });
    await register(node, 'alice');
    for (const [at, address] of [
      [node, '192.0.2.1'],
      [other, '192.0.2.2'],
      [node, '192.0.2.3'],
    ] as const)
      expectProblem(await tryLogin(at, 'alice', 'wrong password', address), 'bad_credentials');
    for (const name of ['alice', 'ALICE', 'ＡＬＩＣＥ'])
      expectLimited(await tryLogin(other, name, PASSWORD, '192.0.2.4'), 300);
    expectProblem(await tryLogin(node, 'bob', 'wrong password', '192.0.2.1'), 'bad_credentials');
  });

  test('of an unknown user are limited in the same way, so that the limit reveals nothing', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    for (let n = 0; n < 2; n += 1) expectProblem(await tryLogin(node, 'nobody', PASSWORD), 'bad_credentials');
    expectLimited(await tryLogin(node, 'nobody', PASSWORD), 300);
  });

  test('of an address are limited to ten times as many, across all accounts', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    await register(node, 'alice');
    const names = Array.from({ length: 10 }, (_, n) => `user-${n}`);
    for (const name of names) await tryLogin(node, name, PASSWORD, '192.0.2.1');
    expectLimited(await tryLogin(node, 'alice', PASSWORD, '192.0.2.1'), 300);
    expect((await tryLogin(node, 'alice', PASSWORD, '192.0.2.2')).status).toBe(200);
  });

  test('do not include successful ones', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    await register(node, 'alice');
    for (let n = 0; n < 25; n += 1) expect((await tryLogin(node, 'alice', PASSWORD)).status).toBe(200);
    expectProblem(await tryLogin(node, 'alice', 'wrong password'), 'bad_credentials');
    expect((await tryLogin(node, 'alice', PASSWORD)).status).toBe(200);
    expectProblem(await tryLogin(node, 'alice', 'wrong password'), 'bad_credentials');
    expectLimited(await tryLogin(node, 'alice', PASSWORD), 300);
  });

  test('are counted before the password is checked, so that concurrent attempts do not exceed the limit', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    for (const name of ['alice', 'nobody']) {
      const guess = (_: unknown, n: number) => tryLogin(node, name, 'wrong password', `192.0.2.${n}`);
      const answers = await Promise.all(Array.from({ length: 40 }, guess));
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(3);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(37);
    }
  });

  test('slow unknown devices down without locking them out: one attempt per share of the window', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    const { commands, keys } = await testStore(node.prefix);
    const later = (seconds: number) =>
      commands.hincrby(keys.limit('login', 'alice'), 'fullAt', -seconds * 1_000);
    for (let n = 0; n < 3; n += 1) await tryLogin(node, 'alice', 'wrong password', `192.0.2.${n}`);
    const refused = await tryLogin(node, 'alice', PASSWORD, '192.0.2.9');
    expectLimited(refused, 100);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(95);
    await later(100);
    expectProblem(await tryLogin(node, 'alice', 'wrong password', '192.0.2.8'), 'bad_credentials');
    expectLimited(await tryLogin(node, 'alice', PASSWORD, '192.0.2.9'), 100);
    await later(100);
    expect((await tryLogin(node, 'alice', PASSWORD, '192.0.2.9')).status).toBe(200);
  });

  test('above the limit write nothing, for any username', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    await register(node, 'alice');
    for (let n = 0; n < 10; n += 1) await tryLogin(node, `user-${n}`, PASSWORD, '192.0.2.1');
    const { commands } = await testStore(node.prefix);
    const state = async () => {
      const names = (await commands.keys(`${node.prefix}limit:*`)).sort();
      return Promise.all(names.map(async (name) => [name, await commands.hgetall(name)]));
    };
    const before = await state();
    for (const name of ['alice', 'nobody', 'not a name!', '*', 'user-1'])
      expectLimited(await tryLogin(node, name, PASSWORD, '192.0.2.1'), 300);
    expect(await state()).toEqual(before);
    expect((await tryLogin(node, 'alice', PASSWORD, '192.0.2.2')).status, 'her account is not counted').toBe(
      200,
    );
  });

  test('count for the wider IPv6 networks too, whose limits are higher', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/3600' });
    const guess = (n: number, network: string) =>
      tryLogin(node, `user-${n}`, PASSWORD, `2001:db8:0:${network}::1`);
    for (let n = 0; n < 40; n += 1) expectProblem(await guess(n, `1${n % 5}`), 'bad_credentials');
    expectLimited(await guess(40, '1f'), 3600);
    expectProblem(await guess(40, '1ff'), 'bad_credentials');
  });

  test('of an invalid username are counted separately', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    for (let n = 0; n < 2; n += 1)
      expectProblem(await tryLogin(node, 'alice@example.org', PASSWORD), 'bad_credentials');
    expectLimited(await tryLogin(node, 'alice@example.org', PASSWORD), 300);
    expectProblem(await tryLogin(node, 'bob@example.org', PASSWORD), 'bad_credentials');
  });

  test('that one limit rejects do not count towards the other', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    for (const name of ['alice', 'bob']) await register(node, name);
    for (let n = 0; n < 20; n += 1) await tryLogin(node, 'alice', 'wrong password', '192.0.2.1');
    expect((await tryLogin(node, 'bob', PASSWORD, '192.0.2.1')).status, 'the address is free').toBe(200);
    for (let n = 0; n < 9; n += 1) await tryLogin(node, `user-${n}`, PASSWORD, '192.0.2.1');
    expectLimited(await tryLogin(node, 'bob', 'wrong password', '192.0.2.1'), 300);
    expect((await tryLogin(node, 'bob', PASSWORD, '192.0.2.2')).status, 'the account is free').toBe(200);
  });

  test('are not limited when the limit is turned off', async () => {
    const node = await startNode({ LOGIN_LIMIT: '0' });
    for (let n = 0; n < 25; n += 1) expect((await tryLogin(node, 'nobody', PASSWORD)).status).toBe(401);
  });
});

describe('successful logins', () => {
  test('of an account are limited across all networks, separately from failed ones', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300', LOGIN_SUCCESS_LIMIT: '3/300' });
    for (const name of ['alice', 'bob']) await register(node, name);
    const { body } = await tryLogin(node, 'alice', PASSWORD, '192.0.2.1');
    for (let n = 2; n < 4; n += 1)
      expect((await tryLogin(node, 'alice', PASSWORD, `192.0.2.${n}`)).status).toBe(200);
    expectLimited(await tryLogin(node, 'alice', PASSWORD, '192.0.2.9'), 100);
    expectLimited(await tryLoginFrom(node, 'alice', PASSWORD, body.deviceToken), 100);
    expect((await tryLogin(node, 'bob', PASSWORD, '192.0.2.1')).status).toBe(200);
    expectProblem(await tryLogin(node, 'bob', 'wrong password', '192.0.2.1'), 'bad_credentials');
  });

  test('of a network are limited to ten times as many, except for known devices', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_SUCCESS_LIMIT: '1/300' });
    for (let n = 0; n < 12; n += 1) await register(node, `user-${n}`);
    const { body } = await tryLogin(node, 'user-11', PASSWORD, '192.0.2.7');
    for (let n = 0; n < 10; n += 1)
      expect((await tryLogin(node, `user-${n}`, PASSWORD, '192.0.2.1')).status).toBe(200);
    expectLimited(await tryLogin(node, 'user-10', PASSWORD, '192.0.2.1'), 30);
    const { commands, keys } = await testStore(node.prefix);
    await commands.del(keys.limit('logged-in', 'user-11'));
    const known = await tryLoginFrom(node, 'user-11', PASSWORD, body.deviceToken, '192.0.2.1');
    expect(known.status).toBe(200);
  });
});

describe('a known device', () => {
  /** Alice has logged in on a device; then others guessed until unknown devices must wait. */
  async function underAttack() {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    const { body } = await tryLogin(node, 'alice', PASSWORD, '192.0.2.1');
    for (let n = 0; n < 20; n += 1) await tryLogin(node, 'alice', 'wrong password', `198.51.100.${n}`);
    expectLimited(await tryLogin(node, 'alice', PASSWORD, '192.0.2.1'), 100);
    return { node, deviceToken: body.deviceToken as string };
  }

  test('can log in from any network while others guess, and its own failures are counted separately', async () => {
    const { node, deviceToken } = await underAttack();
    const from = (password: string, token = deviceToken) =>
      tryLoginFrom(node, 'alice', password, token, '198.51.100.1');
    const next = await from(PASSWORD);
    expect(next.status).toBe(200);
    for (let n = 0; n < 3; n += 1) expectProblem(await from('wrong password'), 'bad_credentials');
    expectLimited(await from(PASSWORD), 100);
    expectLimited(await from(PASSWORD, next.body.deviceToken), 100); // the same device
  });

  test('can log in after too many failed logins of its network', async () => {
    const { node, deviceToken } = await underAttack();
    for (let n = 0; n < 40; n += 1) await tryLogin(node, `user-${n}`, 'wrong password', '192.0.2.1');
    expectLimited(await tryLogin(node, 'bob', PASSWORD, '192.0.2.1'), 300);
    expect((await tryLoginFrom(node, 'alice', PASSWORD, deviceToken, '192.0.2.1')).status).toBe(200);
  });

  test('stays known after a secret rotation and after a logout', async () => {
    const { node, deviceToken } = await underAttack();
    const rotated = await startNode(
      { ...PROXIED, LOGIN_LIMIT: '3/300', JWT_SECRET: `9f2c71d0b84e5a36c1e7f08d2b93a64d,${JWT_SECRET}` },
      { prefix: node.prefix },
    );
    const again = await tryLoginFrom(rotated, 'alice', PASSWORD, deviceToken);
    expect(again.status).toBe(200);
    expect((await call(rotated, 'logout', { token: again.body.accessToken })).status).toBe(204);
    expectLimited(await tryLoginFrom(node, 'alice', PASSWORD, again.body.deviceToken), 100);
    expect((await tryLoginFrom(rotated, 'alice', PASSWORD, again.body.deviceToken)).status).toBe(200);
  });

  test('is not proven by a token that is forged, expired, of another account or of another kind', async () => {
    const { node, deviceToken } = await underAttack();
    await register(node, 'bob');
    const { body: bob } = await tryLogin(node, 'bob', PASSWORD);
    const keys = parseSecrets(JWT_SECRET).derive('device tokens');
    const yearsAgo = createDeviceTokens({ keys, now: () => Date.now() - 401 * 86_400_000 });
    const claims = { sub: 'alice', jti: 'x', iss: 'parley', aud: 'parley' };
    const badTokens = [
      ...[bob.deviceToken, bob.accessToken, bob.refreshToken, yearsAgo.issue('alice', 'x')],
      ...[deviceToken.slice(0, -2), `${deviceToken}x`, 'x', 'a.b.c'],
      jwt.sign(claims, JWT_SECRET, { expiresIn: 60, header: { alg: 'HS256', typ: 'device+jwt' } }),
      jwt.sign(claims, keys[0]!, { expiresIn: 60 }), // without a type
      jwt.sign(claims, keys[0]!, { header: { alg: 'HS256', typ: 'device+jwt' } }), // without an expiry
    ];
    for (const token of badTokens) expectLimited(await tryLoginFrom(node, 'alice', PASSWORD, token), 100);
    expect((await tryLoginFrom(node, 'alice', PASSWORD, deviceToken)).status).toBe(200);
  });

  test('has a token that does not replace a password or an access token', async () => {
    const { node, deviceToken } = await underAttack();
    expectProblem(await call(node, 'getMe', { token: deviceToken }), 'unauthenticated');
    expectProblem(await call(node, 'refresh', { body: { refreshToken: deviceToken } }), 'bad_refresh_token');
    expectProblem(await tryLoginFrom(node, 'alice', 'wrong password', deviceToken), 'bad_credentials');
    expectProblem(await tryLoginFrom(node, 'nobody', PASSWORD, deviceToken), 'bad_credentials');
  });
});

describe('registrations', () => {
  test('of an address are limited, and nothing is stored above the limit', async () => {
    const node = await startNode({ ...PROXIED, REGISTER_LIMIT: '2/3600' });
    for (const name of ['alice', 'bob']) expect((await register(node, name, '192.0.2.1')).status).toBe(201);
    const before = await everything(node);
    expectLimited(await register(node, 'carol', '192.0.2.1'), 3_600);
    expect(await everything(node)).toEqual(before);
    expect((await register(node, 'carol', '192.0.2.2')).status).toBe(201);
  });

  test('with invalid input do not count', async () => {
    const node = await startNode({ REGISTER_LIMIT: '1/3600' });
    for (const username of ['½', '.', 'x'.repeat(33)])
      expect((await register(node, username)).status).toBe(400);
    expect((await register(node, 'alice')).status).toBe(201);
  });
});

describe('messages', () => {
  test('of an account are limited across both kinds, all sessions and all nodes', async () => {
    const node = await startNode({ SEND_LIMIT: '4/60' });
    const other = await startNode({ SEND_LIMIT: '4/60' }, { prefix: node.prefix });
    const alice = await person(node, 'alice');
    const phone = await login(other, 'alice');
    const sends = [say(alice, '1'), say(phone, '2'), tell(phone, 'alice', '3'), tell(alice, 'alice', '4')];
    for (const { status } of await Promise.all(sends)) expect(status).toBe(201);
    const before = await everything(node);
    for (const who of [alice, phone]) {
      expectLimited(await say(who, 'too much'), 60);
      expectLimited(await tell(who, 'alice', 'too much'), 60);
    }
    expect(await everything(node)).toEqual(before);
    expect((await say(await person(node, 'bob'), 'bob may')).status).toBe(201);
  });

  test('that repeat a stored one do not count, and are accepted when the limit is exceeded', async () => {
    const node = await startNode({ SEND_LIMIT: '2/60' });
    const alice = await person(node, 'alice');
    const post = (who: Person, key: string, path = '/v1/broadcasts') =>
      send(node, 'POST', path, {
        ...{ token: who.token, headers: { 'Idempotency-Key': key } },
        body: { text: 'hi' },
      });
    for (let n = 0; n < 5; n += 1) expect((await post(alice, 'key-1')).status).toBe(201);
    expect((await post(alice, 'key-2', '/v1/dm/alice')).status).toBe(201);
    expectProblem(await post(alice, 'key-3'), 'too_many_requests');
    expect((await post(alice, 'key-1')).headers['idempotent-replayed']).toBe('true');
    expect((await post(alice, 'key-2', '/v1/dm/alice')).headers['idempotent-replayed']).toBe('true');
  });

  test('to an unknown user do not count', async () => {
    const node = await startNode({ SEND_LIMIT: '1/60' });
    const alice = await person(node, 'alice');
    for (let n = 0; n < 3; n += 1) expectProblem(await tell(alice, 'nobody', 'hi'), 'unknown_user');
    expect((await say(alice, 'hi')).status).toBe(201);
  });
});
