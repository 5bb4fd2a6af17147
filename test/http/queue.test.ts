/** A crowd at the door: bcrypt is the one thing here that costs real time. */
import { availableParallelism } from 'node:os';
import { expect, test } from 'vitest';
import { person, startNode } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { expectProblem } from '../support/http.ts';
import { testStore } from '../support/store.ts';

/** As many as are hashed and queued at a time (src/chat/passwords.ts), and some more. */
const ROOM = Math.max(1, availableParallelism() - 1) * 16;
const CROWD = ROOM + 24;

test('of a crowd that logs in at once some are told to come back, quickly; the others get in, and nobody else waits', async () => {
  const node = await startNode({ BCRYPT_COST: '9', LOGIN_LIMIT: `${CROWD}/300` });
  const alice = await person(node, 'alice');
  const body = { username: 'alice', password: 'correct horse battery' };
  const order: string[] = [];
  const logins = Array.from({ length: CROWD }, async () => {
    const answer = await call(node, 'login', { body });
    order.push(answer.status === 200 ? 'in' : 'refused');
    return answer;
  });
  // One login is behind the door when this is asked, so it cannot be answered before the crowd has come.
  await Promise.any(logins);
  const me = await call(node, 'getMe', { token: alice.token });
  order.push('me');
  const answers = await Promise.all(logins);

  expect(me.status).toBe(200);
  const refused = answers.filter(({ status }) => status !== 200);
  expect(refused.length).toBeGreaterThan(0);
  expect(answers.length - refused.length).toBeGreaterThanOrEqual(ROOM);
  for (const answer of refused) expectProblem(answer, 'busy');
  expect(order.lastIndexOf('refused'), 'refused before the queue is through').toBeLessThan(
    order.lastIndexOf('in'),
  );
  expect(order.slice(order.indexOf('me')).filter((each) => each === 'in').length).toBeGreaterThan(ROOM / 4);

  const { commands, keys } = await testStore(node.prefix);
  expect(await commands.hget(keys.limit('login', 'alice'), 'n'), 'no failed login is counted').toBe('0');
  expect((await call(node, 'login', { body })).status).toBe(200);
});

test('a registration that finds no room is refused alike, and nobody is registered', async () => {
  const node = await startNode({ BCRYPT_COST: '9' });
  const names = Array.from({ length: CROWD }, (_, n) => `user-${n}`);
  const answers = await Promise.all(
    names.map((username) =>
      call(node, 'register', { body: { username, password: 'correct horse battery' } }),
    ),
  );
  const refused = answers.flatMap((answer, n) =>
    answer.status === 201 ? [] : [{ answer, name: names[n]! }],
  );
  expect(refused.length).toBeGreaterThan(0);
  const { token } = await person(node, 'alice');
  for (const { answer, name } of refused) {
    expectProblem(answer, 'busy');
    expectProblem(await call(node, 'getUser', { token, path: { username: name } }), 'unknown_user');
  }
});
