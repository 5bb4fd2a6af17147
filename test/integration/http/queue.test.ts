/** The password queue: many concurrent logins, where bcrypt is what takes time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PLACES_PER_NETWORK } from '../../../src/chat/password-queue.ts';
import { createAccountStore } from '../../../src/store/accounts.ts';
import { login, person, startNode, type TestNode } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { testStore } from '../../kit/store.ts';

const PASSWORD = 'correct horse battery';
/** The default limits, and one trusted proxy so that a test can send from many networks. */
const DEFAULT_LIMITS = { TRUST_PROXY: '1', LOGIN_LIMIT: '10/300', LOGIN_SUCCESS_LIMIT: '30/300' };

const tryLogin = (node: TestNode, username: string, address: string): Promise<CallResult> =>
  call(node, 'login', {
    body: { username, password: PASSWORD },
    headers: { 'X-Forwarded-For': address },
  });
/** Like `tryLogin`, but cheaper for this process, which also runs the node. */
const attempt = (node: TestNode, username: string, address: string): Promise<Response> =>
  fetch(`${node.url}/v1/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': address },
    body: JSON.stringify({ username, password: PASSWORD }),
  });
const register = (node: TestNode, username: string, address: string): Promise<CallResult> =>
  call(node, 'register', {
    body: { username, password: PASSWORD },
    headers: { 'X-Forwarded-For': address },
  });

describe('while a client logs in successfully on 50 connections', () => {
  test.each([
    ['one network', () => '192.0.2.2'],
    ['twenty networks', (n: number) => `198.51.100.${n}`],
  ])('all logins of twenty accounts from %s succeed', async (_, addressOf) => {
    const node = await startNode({ ...DEFAULT_LIMITS, BCRYPT_COST: '7' });
    const people = Array.from({ length: 20 }, (_, n) => `person-${n}`);
    for (const username of ['attacker', ...people]) await register(node, username, '192.0.2.3');
    let isOver = false;
    const attacker = { successes: 0, rejections: 0 };
    const attack = Array.from({ length: 50 }, async () => {
      while (!isOver) {
        const { status } = await attempt(node, 'attacker', '192.0.2.1');
        if (status === 200) attacker.successes += 1;
        else attacker.rejections += 1;
        if (status !== 200) await sleep(200); // leave CPU time to the node in this process
      }
    });
    const answers = await Promise.all(people.map((username, n) => attempt(node, username, addressOf(n))));
    isOver = true;
    await Promise.all(attack);
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(attacker.rejections).toBeGreaterThan(0);
    expect(attacker.successes, 'not more than the limit').toBeLessThanOrEqual(32);
  });
});

test('of many logins from one network some are rejected immediately, the others succeed, and nobody else waits', async () => {
  const node = await startNode({ ...DEFAULT_LIMITS, BCRYPT_COST: '8' });
  const alice = await person(node, 'alice');
  const crowd = Array.from({ length: PLACES_PER_NETWORK + 16 }, (_, n) => `user-${n}`);
  for (const username of crowd) await register(node, username, '192.0.2.1');
  const order: string[] = [];
  const logins = crowd.map(async (username) => {
    const answer = await tryLogin(node, username, '192.0.2.1');
    order.push(answer.status === 200 ? 'success' : 'rejected');
    return answer;
  });
  // One login has finished by then, so the whole crowd has arrived before these requests.
  await Promise.any(logins);
  const others = [call(node, 'getMe', { token: alice.token }), tryLogin(node, 'alice', '192.0.2.2')];
  for (const { status } of await Promise.all(others)) expect(status).toBe(200);
  order.push('others');
  const answers = await Promise.all(logins);

  const rejected = answers.filter(({ status }) => status !== 200);
  expect(rejected.length).toBeGreaterThan(0);
  for (const answer of rejected) expectProblem(answer, answer.status === 429 ? 'too_many_requests' : 'busy');
  expect(order.lastIndexOf('rejected'), 'rejected before the queue has finished').toBeLessThan(
    order.lastIndexOf('success'),
  );
  expect(order.slice(order.indexOf('others')), 'others did not wait for the crowd').toContain('success');

  const { commands, keys } = await testStore(node.prefix);
  for (const username of crowd)
    expect(await commands.exists(keys.limit('login', username)), 'no failed login is counted').toBe(0);
  expect((await tryLogin(node, 'alice', '192.0.2.1')).status, 'the queue accepts logins again').toBe(200);
});

test('a registration that finds the queue full is rejected, and creates no account', async () => {
  const node = await startNode({ BCRYPT_COST: '8' });
  const names = Array.from({ length: PLACES_PER_NETWORK + 16 }, (_, n) => `user-${n}`);
  const answers = await Promise.all(
    names.map((username) => call(node, 'register', { body: { username, password: PASSWORD } })),
  );
  const refused = answers.flatMap((answer, n) =>
    answer.status === 201 ? [] : [{ answer, name: names[n]! }],
  );
  expect(refused.length).toBeGreaterThan(0);
  const { token } = await person(node, 'alice');
  for (const { answer, name } of refused) {
    expectProblem(answer, answer.status === 429 ? 'too_many_requests' : 'busy');
    expectProblem(await call(node, 'getUser', { token, path: { username: name } }), 'unknown_user');
  }
});

describe('a password hash with another cost', () => {
  test.each([
    ['4', '6'],
    ['6', '4'],
  ])('is renewed at a successful login: from %s to %s', async (before, after) => {
    const old = await startNode({ BCRYPT_COST: before });
    await person(old, 'alice');
    const node = await startNode({ BCRYPT_COST: after }, { prefix: old.prefix });
    const { commands, keys } = await testStore(old.prefix);
    const cost = async () => (await commands.hget(keys.account('alice'), 'passwordHash'))?.slice(4, 6);
    const wrong = { username: 'alice', password: 'wrong password' };
    expectProblem(await call(node, 'login', { body: wrong }), 'bad_credentials');
    expect(await cost(), 'not at a failed login').toBe(`0${before}`);
    await login(node, 'alice');
    await expect.poll(cost).toBe(`0${after}`);
    expect((await login(old, 'alice')).username).toBe('alice');
  });

  test('is not renewed if the password was changed in the meantime', async () => {
    const node = await startNode();
    await person(node, 'alice');
    const store = await testStore(node.prefix);
    const accounts = createAccountStore(store);
    const hash = await store.commands.hget(store.keys.account('alice'), 'passwordHash');
    expect(await accounts.rehash('alice', 'the hash before', 'another')).toBe('changed');
    expect(await accounts.rehash('nobody', 'the hash before', 'another')).toBe('changed');
    expect(await store.commands.hget(store.keys.account('alice'), 'passwordHash')).toBe(hash);
    expect(await store.commands.exists(store.keys.account('nobody'))).toBe(0);
  });
});
