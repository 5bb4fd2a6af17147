/** The log: its lines, and that they contain no secrets. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { login, person, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { type Answer, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { testStore } from '../../kit/store.ts';

const PASSWORD = 'correct horse battery';

test('a request is logged as one line with id, operation, method, path without query, and status', async () => {
  const { log, lines } = recorder();
  const node = await startNode({}, { log });
  const { token } = await person(node, 'alice');
  const headers = { 'X-Request-Id': 'trace-1' };
  await send(node, 'GET', '/v1/users/alice?secret=1', { token, headers });
  await send(node, 'GET', '/v1/nothing?secret=1', { headers: { 'X-Request-Id': 'trace-2' } });
  const about = (id: string) => lines().filter(({ requestId }) => requestId === id);
  expect(about('trace-1')).toMatchObject([
    {
      level: 'debug',
      operation: 'getUser',
      method: 'GET',
      path: '/v1/users/alice',
      status: 200,
      ms: expect.any(Number),
    },
  ]);
  expect(about('trace-2')).toMatchObject([
    { level: 'info', operation: 'none', path: '/v1/nothing', status: 404 },
  ]);
});

test('the line of a request names the account if the request was authenticated, and only then', async () => {
  const { log, lines } = recorder();
  const node = await startNode({ ACCOUNT_BUDGET: '20/2000' }, { log });
  const alice = await person(node, 'alice');
  await send(node, 'GET', '/v1/users/nobody', { token: alice.token });
  await send(node, 'GET', '/v1/me', { token: `${alice.token}x` });
  let status = 0;
  while (status !== 429) ({ status } = await send(node, 'GET', '/v1/me', { token: alice.token }));
  const requests = lines().filter(({ msg }) => msg === 'request');
  const accountOf = (operation: string, code: number): string | undefined =>
    requests.findLast((line) => line.operation === operation && line.status === code)?.account;
  expect(accountOf('getUser', 404)).toBe('alice');
  expect(accountOf('getMe', 429)).toBe('alice');
  expect(requests.find((line) => line.operation === 'getMe' && line.status === 401)).not.toHaveProperty(
    'account',
  );
  expect(requests.find((line) => line.operation === 'login')).not.toHaveProperty('account');
});

test('the line of a stream that was opened with a ticket names the account', async () => {
  const { log, lines } = recorder();
  const node = await startNode({}, { log });
  const alice = await person(node, 'alice');
  const { body } = await call(node, 'createTicket', { token: alice.token });
  const response = await fetch(`${node.url}/v1/events?ticket=${body.ticket}`);
  await response.body?.cancel();
  await until('the stream is logged', () => lines().some(({ operation }) => operation === 'openStream'));
  expect(lines().find(({ operation }) => operation === 'openStream')).toMatchObject({ account: 'alice' });
});

test('the network of the client is logged with LOG_NETWORKS=true only', async () => {
  const { log, lines } = recorder();
  const node = await startNode({ LOG_NETWORKS: 'true', TRUST_PROXY: '127.0.0.1' }, { log });
  const quiet = await startNode({}, { log });
  const from = (address: string, id: string) => ({ 'X-Forwarded-For': address, 'X-Request-Id': id });
  await send(node, 'GET', '/v1/nothing', { headers: from('192.0.2.7', 'v4') });
  await send(node, 'GET', '/v1/nothing', { headers: from('2001:db8:1:2:3::4', 'v6') });
  await send(quiet, 'GET', '/v1/nothing', { headers: { 'X-Request-Id': 'quiet' } });
  const lineOf = (id: string) => lines().find(({ requestId }) => requestId === id);
  expect(lineOf('v4')).toMatchObject({ network: '192.0.2.7' });
  expect(lineOf('v6')).toMatchObject({ network: '2001:db8:1:2::/64' });
  expect(lineOf('quiet')).not.toHaveProperty('network');
});

test('log lines have the level name and an ISO 8601 time, also from a child logger', () => {
  const { log, lines } = recorder();
  log.warn('careful');
  log.child({ part: 'x' }).error(new Error('broken'), 'failed');
  const time = expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  expect(lines()).toMatchObject([
    { level: 'warn', time, msg: 'careful' },
    { level: 'error', time, msg: 'failed', part: 'x', err: { message: 'broken' } },
  ]);
});

test('a client that disconnects before the response is logged with status 499', async () => {
  const { log, lines } = recorder();
  const node = await startNode({ BCRYPT_COST: '12' }, { log });
  const body = JSON.stringify({ username: 'alice', password: PASSWORD });
  const head = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  const socket = connect(node.address.port, '127.0.0.1');
  socket.write(`${head}Content-Length: ${body.length}\r\n\r\n${body}`, () => socket.destroy());
  await until('the request is logged', () => lines().length > 0);
  expect(lines()).toMatchObject([{ operation: 'login', status: 499 }]);
});

test('no input can break a log line or forge one', async () => {
  const { log, lines } = recorder();
  const node = await startNode({}, { log });
  const id = { 'X-Request-Id': '"},{"level":"fatal","msg":"forged' };
  await send(node, 'GET', '/%0a{"level":"fatal","msg":"forged"}', { headers: id });
  await send(node, 'GET', '/"}\\n{"level":"fatal"}', { headers: id });
  expect(lines().filter(({ msg }) => msg === 'request')).toHaveLength(2);
  expect(lines().map(({ level }) => level)).not.toContain('fatal');
});

test('no log line and no problem contains a token or a password', async () => {
  const { log, text } = recorder();
  const node = await startNode({ LOGIN_LIMIT: '1/300' }, { log });
  const alice = await person(node, 'alice');
  const phone = await login(node, 'alice');
  const { token } = alice;
  const problems: Answer[] = [];
  const attempt = async (...args: Parameters<typeof send>) => problems.push(await send(...args));
  const credentials = { username: 'alice', password: 'a wrong password' };
  const json = { 'Content-Type': 'application/json' };

  await attempt(node, 'GET', `/v1/me?token=${token}&password=${PASSWORD.replaceAll(' ', '+')}`);
  await attempt(node, 'GET', '/v1/me', { token: `${token}x` });
  await attempt(node, 'GET', '/v1/me', { headers: { Authorization: `Basic ${token}` } });
  await attempt(node, 'GET', '/v1/me', { headers: { Cookie: `token=${token}` } });
  await attempt(node, 'POST', '/v1/login', { body: credentials });
  await attempt(node, 'POST', '/v1/login', { body: credentials });
  await attempt(node, 'POST', '/v1/register', { body: { username: 'alice', password: PASSWORD } });
  await attempt(node, 'POST', '/v1/register', { body: { username: '', password: PASSWORD.repeat(9) } });
  await attempt(node, 'POST', '/v1/login', { body: { ...credentials, password: [PASSWORD], extra: token } });
  await attempt(node, 'POST', '/v1/login', { headers: json, body: PASSWORD });
  await attempt(node, 'POST', '/v1/login', { headers: json, body: `{"password":"${PASSWORD}",` });
  await attempt(node, 'POST', '/v1/login', { headers: json, body: `"${PASSWORD}" ${token}` });
  await attempt(node, 'POST', '/v1/refresh', { body: { refreshToken: `${alice.refreshToken}x` } });
  await attempt(node, 'POST', '/v1/refresh', { body: { refreshToken: [alice.refreshToken] } });
  await attempt(node, 'POST', '/v1/mailbox/ack', { token, body: { upTo: token.slice(0, 200) } });
  await attempt(node, 'POST', '/v1/broadcasts', { token, headers: { 'Idempotency-Key': token }, body: {} });
  const { body: first } = await call(node, 'refresh', { body: { refreshToken: alice.refreshToken } });
  const { body: second } = await call(node, 'refresh', { body: { refreshToken: first.refreshToken } });
  await attempt(node, 'POST', '/v1/refresh', { body: { refreshToken: alice.refreshToken } });
  await attempt(node, 'GET', '/v1/me', { token });
  const { commands, keys } = await testStore(node.prefix);
  await commands.set(keys.inbox('alice').hash, 'not a hash');
  expect((await tell(phone, 'alice', 'an unexpected error')).status).toBe(500);
  await commands.set(keys.revoked, 'not a hash');
  await attempt(node, 'POST', '/v1/logout', { token: phone.token });
  await commands.del(keys.revoked);

  const responses = problems.map((answer) => JSON.stringify([answer.headers, answer.text]));
  expect(problems.filter(({ status }) => status < 400)).toEqual([]);
  expect(new Set(problems.map(({ body }) => body.code))).toContain('internal');
  const tokens = [token, alice.refreshToken, phone.token, phone.refreshToken, second.accessToken];
  const secrets = [...tokens, first.refreshToken, second.refreshToken].map((each) =>
    each.split('.')[2]!.slice(0, 20),
  );
  for (const secret of [...secrets, 'correct ho', 'correct+ho', 'a wrong pa'])
    for (const where of [text(), ...responses]) expect(where).not.toContain(secret);
});

test('secrets that code logs by mistake are redacted', () => {
  const { log, lines } = recorder();
  const secrets = { password: 'x', accessToken: 'x', refreshToken: 'x', authorization: 'x', cookie: 'x' };
  log.info({ ...secrets, body: secrets, req: { headers: secrets } }, 'a mistake');
  const redacted = Object.fromEntries(Object.keys(secrets).map((name) => [name, '[redacted]']));
  expect(lines()).toMatchObject([{ ...redacted, body: redacted, req: { headers: redacted } }]);
});
