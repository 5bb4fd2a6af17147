import { describe, expect, test } from 'vitest';
import { login, type Person, person, say, startNode, type TestNode, tell } from '../support/app.ts';
import { type Called, call } from '../support/contract.ts';
import { expectProblem, send } from '../support/http.ts';
import { everything } from '../support/state.ts';

const PASSWORD = 'correct horse battery';
/** Behind one proxy, so that a test can come from many addresses. */
const PROXIED = { TRUST_PROXY: '1' };

const enter = (node: TestNode, username: string, password: string, address?: string): Promise<Called> =>
  call(node, 'login', {
    body: { username, password },
    ...(address && { headers: { 'X-Forwarded-For': address } }),
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

  test('count before they are tried: many at once do not slip through', async () => {
    const node = await startNode({ LOGIN_LIMIT: '3/300' });
    await register(node, 'alice');
    const answers = await Promise.all(
      Array.from({ length: 12 }, () => enter(node, 'alice', 'wrong password')),
    );
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(3);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(9);
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
