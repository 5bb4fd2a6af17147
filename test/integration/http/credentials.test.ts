/** Logging in: every failure has the same response and the same timing. */
import bcrypt from 'bcrypt';
import { expect, onTestFinished, test, vi } from 'vitest';
import { passwordThreads, person, startNode, type TestNode } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testStore } from '../../kit/store.ts';

const PASSWORD = 'correct horse battery';
const tryLogin = (node: TestNode, username: string, password = PASSWORD) =>
  call(node, 'login', { body: { username, password } });

test('an unknown user, a wrong password and an invalid name get the same response', async () => {
  const node = await startNode();
  await person(node, 'alice');
  const before = await everything(node);
  const answers = [
    await tryLogin(node, 'alice', 'wrong password'),
    await tryLogin(node, 'nobody'),
    await tryLogin(node, '*{}: not a name'),
    await tryLogin(node, 'alice', 'short'),
    await tryLogin(node, 'alice', `${PASSWORD}\0`),
    await tryLogin(node, 'alice', PASSWORD.toUpperCase()),
    await tryLogin(node, 'alice', 'x'.repeat(1_024)),
  ];
  for (const answer of answers) {
    expectProblem(answer, 'bad_credentials');
    expect({ ...answer.body, requestId: '' }).toEqual({ ...answers[0]!.body, requestId: '' });
    expect(Object.keys(answer.headers).sort()).toEqual(Object.keys(answers[0]!.headers).sort());
  }
  expect(answers[0]!.body.detail).toMatch(/register/);
  expect(await everything(node)).toEqual(before);
});

test('an unknown user costs as much work as a wrong password, so that timing reveals nothing', async () => {
  const node = await startNode({ BCRYPT_COST: '6' });
  await person(node, 'alice');
  const spy = vi.spyOn(passwordThreads, 'compare');
  onTestFinished(() => spy.mockRestore());
  const roundsOf = async (username: string) => {
    spy.mockClear();
    await tryLogin(node, username, 'wrong password');
    return spy.mock.calls.map(([, hash]) => bcrypt.getRounds(hash));
  };
  for (const username of ['alice', 'nobody', '*']) expect(await roundsOf(username), username).toEqual([6]);
});

test.each(['xy'.repeat(4), 'xy'.repeat(36), '🔑🔒'.repeat(9), ' space ', '"\'\\{}<>', 'пароль\u202e\n'])(
  'accepts exactly the password %j',
  async (password) => {
    const node = await startNode();
    await call(node, 'register', { body: { username: 'alice', password: password.padEnd(8) } });
    expect((await tryLogin(node, 'alice', password.padEnd(8))).status).toBe(200);
    expectProblem(await tryLogin(node, 'alice', `${password.padEnd(8)}x`), 'bad_credentials');
    expectProblem(await tryLogin(node, 'alice', password.padEnd(8).slice(0, -1)), 'bad_credentials');
  },
);

test.each(['password', 'PASSWORD1', '12345678', 'wonderland', 'WonderLand', '        ', 'zzzzzzzzz'])(
  'registration rejects the common password %j for the user wonderland, with a reason',
  async (password) => {
    const node = await startNode();
    const before = await everything(node);
    const answer = await call(node, 'register', { body: { username: 'Wonderland', password } });
    expectProblem(answer, 'validation_failed');
    expect(answer.body.errors).toEqual([{ pointer: '/password', message: expect.any(String) }]);
    expect(await everything(node)).toEqual(before);
    if (password.toLowerCase() === 'wonderland')
      expect((await call(node, 'register', { body: { username: 'alice', password } })).status).toBe(201);
  },
);

test('a password is accepted in any Unicode form; an older account is upgraded by its next login', async () => {
  const [composed, decomposed] = ['crème brûlée', 'cre\u0300me bru\u0302le\u0301e'];
  const node = await startNode();
  await call(node, 'register', { body: { username: 'alice', password: decomposed } });
  for (const password of [composed, decomposed, 'crème\u00a0brûlée'])
    expect((await tryLogin(node, 'alice', password)).status).toBe(200);

  const { commands, keys } = await testStore(node.prefix);
  await commands.hset(keys.account('alice'), 'passwordHash', await bcrypt.hash(decomposed, 4));
  await commands.hdel(keys.account('alice'), 'passwordForm');
  expectProblem(await tryLogin(node, 'alice', composed), 'bad_credentials');
  expect((await tryLogin(node, 'alice', decomposed)).status).toBe(200);
  await expect.poll(async () => (await tryLogin(node, 'alice', composed)).status).toBe(200);
  expect((await tryLogin(node, 'alice', decomposed)).status).toBe(200);
});
