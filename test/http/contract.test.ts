/** What the code and the contract both say must be the same. (The table of problems: test/chat/problems.test.ts.) */
import { expect, test } from 'vitest';
import { loadContract, routesOf } from '../../src/http/openapi.ts';
import { PUBLIC_OPERATIONS } from '../../src/http/operations/types.ts';
import { person, sharedNode } from '../support/app.ts';
import { call, expectContract } from '../support/contract.ts';
import { expectProblem, send } from '../support/http.ts';

const theNode = sharedNode();
const { document, routes: ROUTES } = loadContract();
const PRIVATE = ROUTES.filter(({ security }) => security.length > 0);

test('the operations that need no token are those that the contract leaves open', () => {
  const open = ROUTES.filter(({ security }) => security.length === 0).map(({ operationId }) => operationId);
  expect(open.sort()).toEqual(PUBLIC_OPERATIONS.toSorted());
});

test('an operation that says nothing about security needs a token', () => {
  const silent = structuredClone(document);
  for (const item of Object.values(silent.paths))
    for (const each of Object.values(item)) delete each.security;
  expect(routesOf(silent).filter(({ security }) => security.length === 0)).toEqual([]);
});

test.each(PRIVATE.map(({ method, path, operationId }) => [operationId, method.toUpperCase(), path]))(
  '%s wants a token before it looks at anything else',
  async (_, method, path) => {
    const node = theNode();
    const target = path.replace('{username}', 'nobody');
    expectProblem(await send(node, method, target), 'unauthenticated');
    const bad = { headers: { 'Content-Type': 'text/plain', 'Idempotency-Key': '' }, body: '{' };
    expectProblem(await send(node, method, `${target}?limit=0`, bad), 'unauthenticated');
  },
);

test.each(PUBLIC_OPERATIONS)(
  '%s is not stopped for want of a token, nor by a bad one',
  async (operationId) => {
    const node = theNode();
    const { method, path } = ROUTES.find((route) => route.operationId === operationId)!;
    for (const headers of [{}, { Authorization: 'Bearer garbage' }]) {
      const { status } = await send(node, method, path, { headers });
      expect(status).toBe(method === 'get' ? 200 : 400);
    }
  },
);

test('an answer with a field that the contract does not know would be noticed here', async () => {
  const { node, token } = await person(theNode(), 'alice');
  const answer = await call(node, 'getMe', { token });
  expect(() => expectContract('getMe', answer)).not.toThrow();
  expect(() => expectContract('getMe', { ...answer, body: { ...answer.body, more: 1 } })).toThrow(
    'additional',
  );
});

test('every operation names a 4XX and the fault of the server, and a problem is the form of both', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      const { responses } = operation as unknown as { responses: Record<string, { $ref?: string }> };
      const failures = Object.entries(responses).filter(([status]) => Number(status) >= 400);
      expect(
        failures
          .map(([status]) => status[0])
          .sort()
          .join(''),
        `${method} ${path}`,
      ).toMatch(/^4+5+$/);
      for (const [, { $ref }] of failures) {
        const response = document.components['responses']![$ref!.split('/').at(-1)!];
        expect(response).toHaveProperty('content.application/problem+json');
        expect(response).toHaveProperty('headers.X-Request-Id');
      }
    }
  }
});
