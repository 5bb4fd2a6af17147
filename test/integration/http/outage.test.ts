/** While Redis is down, hangs or is slow, every request gets a response within 5 s, and everything works afterwards. */
import { describe, expect, test } from 'vitest';
import { loadContract } from '../../../src/http/openapi.ts';
import { login, person, startNode, type TestNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { type Answer, expectProblem, send } from '../../kit/http.ts';
import { within } from '../../kit/patience.ts';
import { redisProxy } from '../../kit/proxy.ts';

const BODIES: Record<string, object> = {
  register: { username: 'carol', password: 'correct horse battery' },
  login: { username: 'alice', password: 'correct horse battery' },
  updateMe: { displayName: 'Alice L.' },
  sendBroadcast: { text: 'hello' },
  sendDirect: { text: 'hello' },
  ackMailbox: { upTo: '01890a5d-ac96-774b-bcce-b302099a8057' },
};
const WITHIN_MS = 5_000;
/** These respond while Redis is down. */
const WITHOUT_REDIS = ['getLinks', 'liveness'];

/** Calls every operation as alice, on a node whose Redis is behind a proxy. */
async function behindProxy() {
  const proxy = await redisProxy();
  const node = await startNode({}, { redisUrl: proxy.url });
  const { token } = await person(node, 'alice');
  const { refreshToken } = await login(node, 'alice'); // of a second session, because the logout ends the first one
  await person(node, 'bob');
  const attempts = () =>
    loadContract().routes.map(async ({ operationId, method, path }) => {
      const startedAt = performance.now();
      const body = operationId === 'refresh' ? { refreshToken } : BODIES[operationId];
      const options = { token, ...(body && { body }) };
      const answer = await send(node, method, path.replace('{username}', 'bob'), options);
      return { operationId, answer, ms: performance.now() - startedAt };
    });
  return { proxy, node, token, attempts };
}

function expectUnavailable(results: { operationId: string; answer: Answer; ms: number }[]): void {
  for (const { operationId, answer, ms } of results) {
    if (WITHOUT_REDIS.includes(operationId)) expect(answer.status).toBe(200);
    else if (operationId === 'openStream') {
      expect([answer.status, answer.text]).toEqual([200, expect.stringContaining('"code":"unavailable"')]);
    } else {
      expect(answer.status, `${operationId}: ${answer.text}`).toBe(503);
      expectProblem(answer, 'unavailable');
    }
    expect(ms, operationId).toBeLessThan(within(WITHIN_MS));
  }
}

test('while Redis is down, every operation that needs Redis returns 503 within 5 s; then all recover', async () => {
  const { proxy, node, token, attempts } = await behindProxy();
  proxy.refuse(true);
  expectUnavailable(await Promise.all(attempts()));
  proxy.refuse(false);
  await until('it is ready', async () => (await send(node, 'GET', '/readyz')).status === 200);
  expect((await call(node, 'getMe', { token })).status).toBe(200);
});

test('while Redis accepts commands without replying, every operation returns 503 within 5 s', async () => {
  const { proxy, attempts } = await behindProxy();
  proxy.hang(true);
  expectUnavailable(await Promise.all(attempts()));
  proxy.hang(false);
});

test('while Redis is slow, operations that would take longer time out within 5 s', async () => {
  const { proxy, attempts } = await behindProxy();
  proxy.delay(2_000);
  const results = await Promise.all(attempts());
  for (const { operationId, answer, ms } of results) {
    expect([200, 201, 204, 404, 503], `${operationId}: ${answer.text}`).toContain(answer.status);
    if (answer.status === 503) expectProblem(answer, 'unavailable');
    expect(ms, operationId).toBeLessThan(within(WITHIN_MS));
  }
  expect(results.find(({ operationId }) => operationId === 'login')?.answer.status).toBe(503);
  proxy.delay(0);
});

test('while Redis is down, requests that do not need it are served', async () => {
  const { proxy, node, token } = await behindProxy();
  proxy.refuse(true);
  expect((await send(node, 'GET', '/openapi.yaml')).status).toBe(200);
  expectProblem(await send(node, 'GET', '/v1/me', { token: 'garbage' }), 'unauthenticated');
  expectProblem(
    await send(node, 'POST', '/v1/broadcasts', { token, body: { text: '' } }),
    'validation_failed',
  );
  expectProblem(await send(node, 'GET', '/nothing'), 'not_found');
});

test('repeating a send that timed out, with its idempotency key, stores it once', async () => {
  const { proxy, node, token } = await behindProxy();
  const headers = { 'Idempotency-Key': 'key-1' };
  const post = () =>
    call(node, 'sendDirect', { token, path: { username: 'bob' }, headers, body: { text: 'once' } });
  proxy.hang(true);
  expectProblem(await post(), 'unavailable');
  proxy.hang(false);
  await until('the message is stored', async () => (await post()).status === 201);
  const history = await call(node, 'listDirect', { token, path: { username: 'bob' } });
  expect(history.body.messages.map(({ text }: { text: string }) => text)).toEqual(['once']);
});

describe('a node is not ready', () => {
  const readiness = (node: TestNode) => send(node, 'GET', '/readyz');

  test('while its connection for long reads is down, and serves pages once it is ready', async () => {
    const { proxy, node, token } = await behindProxy();
    const pages = () => send(node, 'GET', '/v1/broadcasts', { token });
    proxy.refuse(true, 'bulk');
    await until('readiness fails', async () => (await readiness(node)).status === 503);
    expectProblem(await readiness(node), 'unavailable');
    expectProblem(await pages(), 'unavailable');
    expect((await send(node, 'GET', '/v1/me', { token })).status).toBe(200);
    proxy.refuse(false);
    await until('it is ready', async () => (await readiness(node)).status === 200);
    expect((await pages()).status).toBe(200);
  });

  test('while its Redis subscription is down', async () => {
    const { proxy, node, token } = await behindProxy();
    proxy.refuse(true, 'subscriber');
    await until('readiness fails', async () => (await readiness(node)).status === 503, 12_000);
    expectProblem(await readiness(node), 'unavailable');
    expect((await send(node, 'GET', '/v1/me', { token })).status).toBe(200);
    proxy.refuse(false);
    await until('it is ready', async () => (await readiness(node)).status === 200);
  });

  test('while Redis does not reply, which it reports before the command timeout', async () => {
    const { proxy, node } = await behindProxy();
    expect((await readiness(node)).status).toBe(200);
    proxy.hang(true);
    const startedAt = performance.now();
    expectProblem(await readiness(node), 'unavailable');
    expect(performance.now() - startedAt).toBeLessThan(within(2_500));
    proxy.hang(false);
  });
});
