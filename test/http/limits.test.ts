import jwt from 'jsonwebtoken';
import { describe, expect, test } from 'vitest';
import { createDeviceTokens } from '../../src/chat/device-tokens.ts';
import { parseSecrets } from '../../src/secrets.ts';
import {
  JWT_SECRET,
  login,
  type Person,
  person,
  say,
  startNode,
  type TestNode,
  tell,
} from '../support/app.ts';
import { type Called, call } from '../support/contract.ts';
import { expectProblem, send } from '../support/http.ts';
import { everything } from '../support/state.ts';
import { testStore } from '../support/store.ts';

const PASSWORD = 'correct horse battery';
/** Behind one proxy, so that a test can come from many addresses. */
const PROXIED = { TRUST_PROXY: '1' };

const enter = (node: TestNode, username: string, password: string, address?: string): Promise<Called> =>
  call(node, 'login', {
    body: { username, password },
    ...(address && { headers: { 'X-Forwarded-For': address } }),
  });
const enterFrom = (
  node: TestNode,
  username: string,
  password: string,
  deviceToken: string,
  address = '203.0.113.1',
): Promise<Called> =>
  call(node, 'login', {
    body: { username, password, deviceToken },
    headers: { 'X-Forwarded-For': address },
  });
const register = (node: TestNode, username: string, address?: string): Promise<Called> =>
  call(node, 'register', {
    body: { username, password: PASSWORD },
    ...(address && { headers: { 'X-Forwarded-For': address } }),
  });

function expectLimited(answer: Called, windowSeconds: number): void {
  expectProblem(answer, 'too_many_requests');
  expect(Number(answer.headers['retry-after'])).toBeLessThanOrEqual(windowSeconds);
}

describe('failed logins', () => {
  test('of an account are limited, wherever they come from: then even the right password must wait', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    const other = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' }, { prefix: node.prefix });
    await register(node, 'alice');
    for (const [at, address] of [
      [node, '192.0.2.1'],
      [other, '192.0.2.2'],
      [node, '192.0.2.3'],
    ] as const)
      expectProblem(await enter(at, 'alice', 'wrong password', address), 'bad_credentials');
    for (const name of ['alice', 'ALICE', 'ＡＬＩＣＥ'])
      expectLimited(await enter(other, name, PASSWORD, '192.0.2.4'), 300);
    expectProblem(await enter(node, 'bob', 'wrong password', '192.0.2.1'), 'bad_credentials');
  });

  test('of an unknown user are limited alike: the limit tells nothing', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    for (let n = 0; n < 2; n += 1) expectProblem(await enter(node, 'nobody', PASSWORD), 'bad_credentials');
    expectLimited(await enter(node, 'nobody', PASSWORD), 300);
  });

  test('of an address are limited to ten times that, over all accounts', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    await register(node, 'alice');
    const names = Array.from({ length: 10 }, (_, n) => `user-${n}`);
    for (const name of names) await enter(node, name, PASSWORD, '192.0.2.1');
    expectLimited(await enter(node, 'alice', PASSWORD, '192.0.2.1'), 300);
    expect((await enter(node, 'alice', PASSWORD, '192.0.2.2')).status).toBe(200);
  });

  test('do not include good ones, however many', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    await register(node, 'alice');
    for (let n = 0; n < 25; n += 1) expect((await enter(node, 'alice', PASSWORD)).status).toBe(200);
    expectProblem(await enter(node, 'alice', 'wrong password'), 'bad_credentials');
    expect((await enter(node, 'alice', PASSWORD)).status).toBe(200);
    expectProblem(await enter(node, 'alice', 'wrong password'), 'bad_credentials');
    expectLimited(await enter(node, 'alice', PASSWORD), 300);
  });

  test('count before they are tried: many at once from many networks do not slip through', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    for (const name of ['alice', 'nobody']) {
      const guess = (_: unknown, n: number) => enter(node, name, 'wrong password', `192.0.2.${n}`);
      const answers = await Promise.all(Array.from({ length: 40 }, guess));
      expect(answers.filter(({ status }) => status === 401)).toHaveLength(3);
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(37);
    }
  });

  test('slow strangers down rather than lock them out: then one attempt in each part of the window', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    const { commands, keys } = await testStore(node.prefix);
    const later = (seconds: number) =>
      commands.hincrby(keys.limit('login', 'alice'), 'fullAt', -seconds * 1_000);
    for (let n = 0; n < 3; n += 1) await enter(node, 'alice', 'wrong password', `192.0.2.${n}`);
    const refused = await enter(node, 'alice', PASSWORD, '192.0.2.9');
    expectLimited(refused, 100);
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(95);
    await later(100);
    expectProblem(await enter(node, 'alice', 'wrong password', '192.0.2.8'), 'bad_credentials');
    expectLimited(await enter(node, 'alice', PASSWORD, '192.0.2.9'), 100);
    await later(100);
    expect((await enter(node, 'alice', PASSWORD, '192.0.2.9')).status).toBe(200);
  });

  test('that are refused write nothing, whatever names they are for', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    await register(node, 'alice');
    for (let n = 0; n < 10; n += 1) await enter(node, `user-${n}`, PASSWORD, '192.0.2.1');
    const { commands } = await testStore(node.prefix);
    const state = async () => {
      const names = (await commands.keys(`${node.prefix}limit:*`)).sort();
      return Promise.all(names.map(async (name) => [name, await commands.hgetall(name)]));
    };
    const before = await state();
    for (const name of ['alice', 'nobody', 'not a name!', '*', 'user-1'])
      expectLimited(await enter(node, name, PASSWORD, '192.0.2.1'), 300);
    expect(await state()).toEqual(before);
    expect((await enter(node, 'alice', PASSWORD, '192.0.2.2')).status, 'her account is not counted').toBe(
      200,
    );
  });

  test('are counted for the wider IPv6 networks too, whose limits are larger', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    const guess = (n: number, network: string) =>
      enter(node, `user-${n}`, PASSWORD, `2001:db8:0:${network}::1`);
    for (let n = 0; n < 40; n += 1) expectProblem(await guess(n, `1${n % 5}`), 'bad_credentials');
    expectLimited(await guess(40, '1f'), 300);
    expectProblem(await guess(40, '1ff'), 'bad_credentials');
  });

  test('for what cannot be a username are counted by themselves', async () => {
    const node = await startNode({ LOGIN_LIMIT: '2/300' });
    for (let n = 0; n < 2; n += 1)
      expectProblem(await enter(node, 'alice@example.org', PASSWORD), 'bad_credentials');
    expectLimited(await enter(node, 'alice@example.org', PASSWORD), 300);
    expectProblem(await enter(node, 'bob@example.org', PASSWORD), 'bad_credentials');
  });

  test('that are refused by one limit do not count for the other', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300' });
    for (const name of ['alice', 'bob']) await register(node, name);
    for (let n = 0; n < 20; n += 1) await enter(node, 'alice', 'wrong password', '192.0.2.1');
    expect((await enter(node, 'bob', PASSWORD, '192.0.2.1')).status, 'the address is free').toBe(200);
    for (let n = 0; n < 9; n += 1) await enter(node, `user-${n}`, PASSWORD, '192.0.2.1');
    expectLimited(await enter(node, 'bob', 'wrong password', '192.0.2.1'), 300);
    expect((await enter(node, 'bob', PASSWORD, '192.0.2.2')).status, 'the account is free').toBe(200);
  });

  test('have no limit where it is switched off', async () => {
    const node = await startNode({ LOGIN_LIMIT: '0' });
    for (let n = 0; n < 25; n += 1) expect((await enter(node, 'nobody', PASSWORD)).status).toBe(401);
  });
});

describe('good logins', () => {
  test('of an account are limited, wherever they come from, and apart from failed ones', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '1/300', LOGIN_SUCCESS_LIMIT: '3/300' });
    for (const name of ['alice', 'bob']) await register(node, name);
    const { body } = await enter(node, 'alice', PASSWORD, '192.0.2.1');
    for (let n = 2; n < 4; n += 1)
      expect((await enter(node, 'alice', PASSWORD, `192.0.2.${n}`)).status).toBe(200);
    expectLimited(await enter(node, 'alice', PASSWORD, '192.0.2.9'), 100);
    expectLimited(await enterFrom(node, 'alice', PASSWORD, body.deviceToken), 100);
    expect((await enter(node, 'bob', PASSWORD, '192.0.2.1')).status).toBe(200);
    expectProblem(await enter(node, 'bob', 'wrong password', '192.0.2.1'), 'bad_credentials');
  });

  test('of a network are limited to ten times that; a device that is known does not need its network', async () => {
    const node = await startNode({ ...PROXIED, LOGIN_SUCCESS_LIMIT: '1/300' });
    for (let n = 0; n < 12; n += 1) await register(node, `user-${n}`);
    const { body } = await enter(node, 'user-11', PASSWORD, '192.0.2.7');
    for (let n = 0; n < 10; n += 1)
      expect((await enter(node, `user-${n}`, PASSWORD, '192.0.2.1')).status).toBe(200);
    expectLimited(await enter(node, 'user-10', PASSWORD, '192.0.2.1'), 30);
    const { commands, keys } = await testStore(node.prefix);
    await commands.del(keys.limit('logged-in', 'user-11'));
    const known = await enterFrom(node, 'user-11', PASSWORD, body.deviceToken, '192.0.2.1');
    expect(known.status).toBe(200);
  });
});

describe('a client that has logged in before', () => {
  /** Alice has a device; then others have guessed until all strangers must wait. */
  async function besieged() {
    const node = await startNode({ ...PROXIED, LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    const { body } = await enter(node, 'alice', PASSWORD, '192.0.2.1');
    for (let n = 0; n < 20; n += 1) await enter(node, 'alice', 'wrong password', `198.51.100.${n}`);
    expectLimited(await enter(node, 'alice', PASSWORD, '192.0.2.1'), 100);
    return { node, deviceToken: body.deviceToken as string };
  }

  test('is let in while others guess, from any network, and its own failures are counted by themselves', async () => {
    const { node, deviceToken } = await besieged();
    const from = (password: string, token = deviceToken) =>
      enterFrom(node, 'alice', password, token, '198.51.100.1');
    const next = await from(PASSWORD);
    expect(next.status).toBe(200);
    for (let n = 0; n < 3; n += 1) expectProblem(await from('wrong password'), 'bad_credentials');
    expectLimited(await from(PASSWORD), 100);
    expectLimited(await from(PASSWORD, next.body.deviceToken), 100); // the same device
  });

  test('is let in though its network has failed too often', async () => {
    const { node, deviceToken } = await besieged();
    for (let n = 0; n < 40; n += 1) await enter(node, `user-${n}`, 'wrong password', '192.0.2.1');
    expectLimited(await enter(node, 'bob', PASSWORD, '192.0.2.1'), 300);
    expect((await enterFrom(node, 'alice', PASSWORD, deviceToken, '192.0.2.1')).status).toBe(200);
  });

  test('is known after the secret was replaced, and after it was logged out', async () => {
    const { node, deviceToken } = await besieged();
    const rotated = await startNode(
      { ...PROXIED, LOGIN_LIMIT: '3/300', JWT_SECRET: `9f2c71d0b84e5a36c1e7f08d2b93a64d,${JWT_SECRET}` },
      { prefix: node.prefix },
    );
    const again = await enterFrom(rotated, 'alice', PASSWORD, deviceToken);
    expect(again.status).toBe(200);
    expect((await call(rotated, 'logout', { token: again.body.accessToken })).status).toBe(204);
    expectLimited(await enterFrom(node, 'alice', PASSWORD, again.body.deviceToken), 100);
    expect((await enterFrom(rotated, 'alice', PASSWORD, again.body.deviceToken)).status).toBe(200);
  });

  test('cannot be played by a token that is forged, expired, of another account, or of another kind', async () => {
    const { node, deviceToken } = await besieged();
    await register(node, 'bob');
    const { body: bob } = await enter(node, 'bob', PASSWORD);
    const keys = parseSecrets(JWT_SECRET).derive('device tokens');
    const yearsAgo = createDeviceTokens({ keys, now: () => Date.now() - 401 * 86_400_000 });
    const claims = { sub: 'alice', jti: 'x', iss: 'parley', aud: 'parley' };
    const stranger = [
      ...[bob.deviceToken, bob.accessToken, bob.refreshToken, yearsAgo.issue('alice', 'x')],
      ...[deviceToken.slice(0, -2), `${deviceToken}x`, 'x', 'a.b.c'],
      jwt.sign(claims, JWT_SECRET, { expiresIn: 60, header: { alg: 'HS256', typ: 'device+jwt' } }),
      jwt.sign(claims, keys[0]!, { expiresIn: 60 }), // of no type
      jwt.sign(claims, keys[0]!, { header: { alg: 'HS256', typ: 'device+jwt' } }), // for ever
    ];
    for (const token of stranger) expectLimited(await enterFrom(node, 'alice', PASSWORD, token), 100);
    expect((await enterFrom(node, 'alice', PASSWORD, deviceToken)).status).toBe(200);
  });

  test('has a token that lets nobody in', async () => {
    const { node, deviceToken } = await besieged();
    expectProblem(await call(node, 'getMe', { token: deviceToken }), 'unauthenticated');
    expectProblem(await call(node, 'refresh', { body: { refreshToken: deviceToken } }), 'bad_refresh_token');
    expectProblem(await enterFrom(node, 'alice', 'wrong password', deviceToken), 'bad_credentials');
    expectProblem(await enterFrom(node, 'nobody', PASSWORD, deviceToken), 'bad_credentials');
  });
});

describe('registrations', () => {
  test('of an address are limited, and nothing is stored beyond', async () => {
    const node = await startNode({ ...PROXIED, REGISTER_LIMIT: '2/3600' });
    for (const name of ['alice', 'bob']) expect((await register(node, name, '192.0.2.1')).status).toBe(201);
    const before = await everything(node);
    expectLimited(await register(node, 'carol', '192.0.2.1'), 3_600);
    expect(await everything(node)).toEqual(before);
    expect((await register(node, 'carol', '192.0.2.2')).status).toBe(201);
  });

  test('that are not even well-formed do not count', async () => {
    const node = await startNode({ REGISTER_LIMIT: '1/3600' });
    for (const username of ['½', '.', 'x'.repeat(33)])
      expect((await register(node, username)).status).toBe(400);
    expect((await register(node, 'alice')).status).toBe(201);
  });
});

describe('messages', () => {
  test('of an account are limited: of both kinds, over its sessions, on all nodes together', async () => {
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

  test('that are repeats of a stored one do not count, and pass when the limit is reached', async () => {
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

  test('to nobody do not count', async () => {
    const node = await startNode({ SEND_LIMIT: '1/60' });
    const alice = await person(node, 'alice');
    for (let n = 0; n < 3; n += 1) expectProblem(await tell(alice, 'nobody', 'hi'), 'unknown_user');
    expect((await say(alice, 'hi')).status).toBe(201);
  });
});
