/** A crowd at the door: bcrypt is the one thing here that costs real time. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PLACES_PER_NETWORK } from '../../src/chat/password-queue.ts';
import { createAccountStore } from '../../src/store/accounts.ts';
import { login, person, startNode, type TestNode } from '../support/app.ts';
import { type Called, call } from '../support/contract.ts';
import { expectProblem } from '../support/http.ts';
import { testStore } from '../support/store.ts';

const PASSWORD = 'correct horse battery';
/** Limits as they are by default, and one proxy in front so that a test can come from many networks. */
const GUARDED = { TRUST_PROXY: '1', LOGIN_LIMIT: '10/300', LOGIN_SUCCESS_LIMIT: '30/300' };

const enter = (node: TestNode, username: string, address: string): Promise<Called> =>
  call(node, 'login', {
    body: { username, password: PASSWORD },
    headers: { 'X-Forwarded-For': address },
  });
/** Costs this process less than `call` does. */
const attempt = (node: TestNode, username: string, address: string): Promise<Response> =>
  fetch(`${node.url}/v1/login`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Forwarded-For': address },
    body: JSON.stringify({ username, password: PASSWORD }),
  });
const register = (node: TestNode, username: string, address: string): Promise<Called> =>
  call(node, 'register', {
    body: { username, password: PASSWORD },
    headers: { 'X-Forwarded-For': address },
  });

describe('beside a client that logs in correctly on 50 connections', () => {
  test.each([
    ['one network', () => '192.0.2.2'],
    ['twenty networks', (n: number) => `198.51.100.${n}`],
  ])(
    'twenty people of %s log in, and nobody of them is refused',
    async (_, addressOf) => {
      const node = await startNode({ ...GUARDED, BCRYPT_COST: '7' });
      const people = Array.from({ length: 20 }, (_, n) => `person-${n}`);
      for (const username of ['attacker', ...people]) await register(node, username, '192.0.2.3');
      let isOver = false;
      const seen = { in: 0, refused: 0 };
      const attack = Array.from({ length: 50 }, async () => {
        while (!isOver) {
          const { status } = await attempt(node, 'attacker', '192.0.2.1');
          if (status === 200) seen.in += 1;
          else seen.refused += 1;
          if (status !== 200) await sleep(200); // this process serves too
        }
      });
      const answers = await Promise.all(people.map((username, n) => attempt(node, username, addressOf(n))));
      isOver = true;
      await Promise.all(attack);
      expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
      expect(seen.refused).toBeGreaterThan(0);
      expect(seen.in, 'not more than the limit').toBeLessThanOrEqual(32);
    },
    60_000,
  );
});

test('of a crowd from one network some are told to come back, at once; the others get in, and nobody else waits', async () => {
  const node = await startNode({ ...GUARDED, BCRYPT_COST: '8' });
  const alice = await person(node, 'alice');
  const crowd = Array.from({ length: PLACES_PER_NETWORK + 16 }, (_, n) => `user-${n}`);
  for (const username of crowd) await register(node, username, '192.0.2.1');
  const order: string[] = [];
  const logins = crowd.map(async (username) => {
    const answer = await enter(node, username, '192.0.2.1');
    order.push(answer.status === 200 ? 'in' : 'refused');
    return answer;
  });
  // One login is behind the door when this is asked, so it cannot be answered before the crowd has come.
  await Promise.any(logins);
  const others = [call(node, 'getMe', { token: alice.token }), enter(node, 'alice', '192.0.2.2')];
  for (const { status } of await Promise.all(others)) expect(status).toBe(200);
  order.push('others');
  const answers = await Promise.all(logins);

  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  for (const answer of refused) expectProblem(answer, answer.status === 429 ? 'too_many_requests' : 'busy');
  expect(order.lastIndexOf('refused'), 'refused before the queue is through').toBeLessThan(
    order.lastIndexOf('in'),
  );
  expect(order.slice(order.indexOf('others')), 'others came in before').toContain('in');

  const { commands, keys } = await testStore(node.prefix);
  for (const username of crowd)
    expect(await commands.exists(keys.limit('login', username)), 'no failed login is counted').toBe(0);
  expect((await enter(node, 'alice', '192.0.2.1')).status, 'there is room again').toBe(200);
});

test('a registration that finds no room is refused alike, and nobody is registered', async () => {
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

describe('a hash of another cost than ours', () => {
  test.each([
    ['4', '6'],
    ['6', '4'],
  ])('is made again at a good login: from %s to %s', async (before, after) => {
    const old = await startNode({ BCRYPT_COST: before });
    await person(old, 'alice');
    const node = await startNode({ BCRYPT_COST: after }, { prefix: old.prefix });
    const { commands, keys } = await testStore(old.prefix);
    const cost = async () => (await commands.hget(keys.account('alice'), 'passwordHash'))?.slice(4, 6);
    const wrong = { username: 'alice', password: 'wrong password' };
    expectProblem(await call(node, 'login', { body: wrong }), 'bad_credentials');
    expect(await cost(), 'not at a bad one').toBe(`0${before}`);
    await login(node, 'alice');
    await expect.poll(cost).toBe(`0${after}`);
    expect((await login(old, 'alice')).username).toBe('alice');
  });

  test('stays when the password was changed meanwhile', async () => {
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
