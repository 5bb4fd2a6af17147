/** The code and the contract must agree. (For the table of problems see test/unit/chat/problems.test.ts.) */
import { expect, test } from 'vitest';
import { loadContract, routesOf } from '../../src/http/openapi.ts';
import { PUBLIC_OPERATIONS } from '../../src/http/operations/types.ts';
import { person, sharedNode } from '../kit/app.ts';
import { call, expectContract } from '../kit/contract.ts';
import { expectProblem, send } from '../kit/http.ts';

const theNode = sharedNode();
const { document, routes: ROUTES } = loadContract();
const PRIVATE = ROUTES.filter(({ security }) => security.length > 0);

test('the public operations are those with `security: []` in the contract', () => {
  const open = ROUTES.filter(({ security }) => security.length === 0).map(({ operationId }) => operationId);
  expect(open.sort()).toEqual(PUBLIC_OPERATIONS.toSorted());
});

test('an operation without its own security needs a token', () => {
  const bare = structuredClone(document);
  for (const item of Object.values(bare.paths)) for (const each of Object.values(item)) delete each.security;
  expect(routesOf(bare).filter(({ security }) => security.length === 0)).toEqual([]);
});

test.each(PRIVATE.map(({ method, path, operationId }) => [operationId, method.toUpperCase(), path]))(
  '%s checks the token before all other inputs',
  async (_, method, path) => {
    const node = theNode();
    const target = path.replace('{username}', 'nobody');
    expectProblem(await send(node, method, target), 'unauthenticated');
    const bad = { headers: { 'Content-Type': 'text/plain', 'Idempotency-Key': '' }, body: '{' };
    expectProblem(await send(node, method, `${target}?limit=0`, bad), 'unauthenticated');
  },
);

test.each(PUBLIC_OPERATIONS)('%s ignores a missing or invalid token', async (operationId) => {
  const node = theNode();
  const { method, path } = ROUTES.find((route) => route.operationId === operationId)!;
  for (const headers of [{}, { Authorization: 'Bearer garbage' }]) {
    const { status } = await send(node, method, path, { headers });
    expect(status).toBe(method === 'get' ? 200 : 400);
  }
});

test('expectContract rejects a response with a field that is not in the contract', async () => {
  const { node, token } = await person(theNode(), 'alice');
  const answer = await call(node, 'getMe', { token });
  expect(() => expectContract('getMe', answer)).not.toThrow();
  expect(() => expectContract('getMe', { ...answer, body: { ...answer.body, more: 1 } })).toThrow(
    'additional',
  );
});

test('every operation documents its 4xx and 5xx responses as problems', () => {
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
