/** A registration with `login: true` returns tokens as well. */
import { expect, test } from 'vitest';
import { accountOperations } from '../../../src/http/operations/accounts.ts';
import type { Call, Services } from '../../../src/http/operations/types.ts';
import { toProblem } from '../../../src/http/problem-json.ts';
import { StoreUnavailable } from '../../../src/store/redis/client.ts';
import { startNode, type TestNode } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';

const PASSWORD = 'correct horse battery';
const register = (node: TestNode, username: string, more: object = { login: true }): Promise<CallResult> =>
  call(node, 'register', { body: { username, password: PASSWORD, ...more } });
const logIn = (node: TestNode, username: string): Promise<CallResult> =>
  call(node, 'login', { body: { username, password: PASSWORD } });

test('returns the account and a session that works', async () => {
  const node = await startNode();
  const { status, headers, body } = await register(node, 'alice', { login: true, device: 'laptop' });
  expect(status).toBe(201);
  expect(headers).toMatchObject({ location: 'users/alice', 'cache-control': 'no-store' });
  const { login, ...account } = body;
  expect(account).toEqual(login.account);
  expect(account).toMatchObject({ username: 'alice', displayName: 'alice', lastSeenAt: expect.any(String) });
  expect(login).toMatchObject({ tokenType: 'Bearer', expiresIn: 3_600, online: { total: 0, users: [] } });
  expect((await call(node, 'getMe', { token: login.accessToken })).body).toEqual(account);
  const refreshed = await call(node, 'refresh', { body: { refreshToken: login.refreshToken } });
  expect(refreshed.status).toBe(200);
  expect((await call(node, 'logout', { token: login.accessToken })).status).toBe(204);
  expect((await logIn(node, 'alice')).status).toBe(200);
});

test('the device token counts as a known device', async () => {
  const node = await startNode({ LOGIN_LIMIT: '1/300' });
  const { login } = (await register(node, 'alice')).body;
  const guess = (more: object) =>
    call(node, 'login', { body: { username: 'alice', password: 'a wrong guess', ...more } });
  expectProblem(await guess({}), 'bad_credentials');
  expectProblem(await guess({}), 'too_many_requests');
  expectProblem(await guess({ deviceToken: login.deviceToken }), 'bad_credentials');
});

test.each([{}, { login: false }, { device: 'laptop' }])(
  'with %j the answer is the account alone',
  async (more) => {
    const { status, body } = await register(await startNode(), 'alice', more);
    expect(status).toBe(201);
    const createdAt = expect.any(String);
    expect(body).toEqual({ username: 'alice', displayName: 'alice', createdAt, lastSeenAt: null });
  },
);

test.each([{ login: 1 }, { login: 'true' }, { login: null }])('rejects %j', async (more) => {
  const node = await startNode();
  expectProblem(await register(node, 'alice', more), 'validation_failed', '/login');
  expectProblem(await logIn(node, 'alice'), 'bad_credentials');
});

test('a taken username returns no tokens', async () => {
  const node = await startNode();
  await register(node, 'alice');
  const answer = await register(node, 'alice');
  expectProblem(answer, 'username_taken');
  expect(answer.text).not.toContain('Token');
});

test('the limit for registrations applies', async () => {
  const node = await startNode({ REGISTER_LIMIT: '1/300' });
  expect((await register(node, 'alice')).status).toBe(201);
  expectProblem(await register(node, 'bob'), 'too_many_requests');
});

test('beyond the limit for logins the account stays, and the answer says why there are no tokens', async () => {
  const node = await startNode({ LOGIN_SUCCESS_LIMIT: '1/300' }); // ten times as many for a network
  for (let n = 0; n < 10; n += 1) expect((await register(node, `user-${n}`)).body.login).toBeDefined();
  const { status, headers, body } = await register(node, 'alice');
  expect(status).toBe(201);
  expect(headers['location']).toBe('users/alice');
  const { loginProblem, ...account } = body;
  expect(account).toMatchObject({ username: 'alice', lastSeenAt: null });
  expect(account).not.toHaveProperty('login');
  const requestId = headers['x-request-id'];
  expect(loginProblem).toMatchObject({ status: 429, code: 'too_many_requests', requestId });
  expectProblem(await register(node, 'alice'), 'username_taken');
  const later = await startNode({ LOGIN_SUCCESS_LIMIT: '0' }, { prefix: node.prefix });
  expect((await logIn(later, 'alice')).status).toBe(200);
});

test('the login counts as one of the account', async () => {
  const node = await startNode({ LOGIN_SUCCESS_LIMIT: '2/300' });
  await register(node, 'alice');
  expect((await logIn(node, 'alice')).status).toBe(200);
  expectProblem(await logIn(node, 'alice'), 'too_many_requests');
});

test('an outage after the account was stored is reported as a problem of the login', async () => {
  const account = { username: 'alice', displayName: 'Alice', createdAt: '', lastSeenAt: null };
  const services: object = {
    accounts: { register: async () => account },
    sessions: {
      loginNew: async () => {
        throw new StoreUnavailable('down');
      },
    },
  };
  const request: object = {
    body: { username: 'alice', password: PASSWORD, login: true },
    problemOf: (error: unknown) => ({ code: toProblem(error).code }),
  };
  const answer = await accountOperations(services as Services).register(request as Call<'register'>);
  expect(answer).toMatchObject({ status: 201, body: { ...account, loginProblem: { code: 'unavailable' } } });
});

test('costs the points of a registration and of a login', async () => {
  const countWithin100Points = async (more: object) => {
    const node = await startNode({ NETWORK_BUDGET: '100/10000' });
    let count = 0;
    while ((await register(node, `user-${count}`, more)).status === 201) count += 1;
    return count;
  };
  expect(await countWithin100Points({})).toBe(5); // 20 points each, and 1 for the request
  expect(await countWithin100Points({ login: true })).toBe(3);
});
