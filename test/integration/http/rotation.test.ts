/** Rotating JWT_SECRET: nodes are restarted one by one, and sessions continue. */
import { expect, test } from 'vitest';
import { person, startNode, type TestNode } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';

const OLD = 'the old secret of thirty-two bytes or more';
const NEW = 'a new secret of thirty-two bytes or more';

const statusAt = async (node: TestNode, token: string) => (await call(node, 'getMe', { token })).status;

test('in each step, nodes before and after the step accept the tokens of each other', async () => {
  const first = await startNode({ JWT_SECRET: OLD });
  const { prefix } = first;
  const steps = [first];
  for (const JWT_SECRET of [`${OLD},${NEW}`, `${NEW},${OLD}`, NEW])
    steps.push(await startNode({ JWT_SECRET }, { prefix }));
  for (const [index, next] of steps.slice(1).entries()) {
    const before = steps[index]!;
    const alice = await person(before, `alice${index}`);
    const bob = await person(next, `bob${index}`);
    // Before the last step the tokens of the old secret have expired.
    expect([await statusAt(next, alice.token), await statusAt(before, bob.token)]).toEqual([200, 200]);
  }
});

test('a token of a removed secret is rejected, and its client continues with its refresh token', async () => {
  const old = await startNode({ JWT_SECRET: OLD });
  const alice = await person(old, 'alice');
  const fresh = await startNode({ JWT_SECRET: NEW }, { prefix: old.prefix });
  expectProblem(await call(fresh, 'getMe', { token: alice.token }), 'unauthenticated');
  const { body } = await call(fresh, 'refresh', { body: { refreshToken: alice.refreshToken } });
  expect(await statusAt(fresh, body.accessToken)).toBe(200);
  expectProblem(await call(old, 'getMe', { token: body.accessToken }), 'unauthenticated');
});
