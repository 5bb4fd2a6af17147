/**
 * Streams that cannot be opened temporarily. An EventSource stops reconnecting on any status but 200, so a client that
 * may be served later gets 200, a reconnect delay, and keeps its position.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { within } from '../../kit/patience.ts';
import { redisProxy } from '../../kit/proxy.ts';
import { openStream, type StreamClient } from '../../kit/stream.ts';

async function behindProxy() {
  const proxy = await redisProxy();
  const { log, lines } = recorder();
  const node = await startNode({}, { redisUrl: proxy.url, log });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const ticket = async (): Promise<string> =>
    (await call(node, 'createTicket', { token: bob.token })).body.ticket;
  return { proxy, node, lines, alice, bob, ticket };
}

/** The stream consists of a `goodbye` with a reconnect delay and without an id, and then ends. */
async function expectRejected(stream: StreamClient, code = 'unavailable'): Promise<void> {
  expect(stream.status).toBe(200);
  expect(stream.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
  });
  expect(stream.headers['x-request-id']).toBeDefined();
  await until('the stream ends', () => stream.isClosed);
  expect(stream.events).toEqual([
    { kind: 'goodbye', id: undefined, data: { kind: 'goodbye', code, reconnect: true } },
  ]);
  expect(stream.raw).not.toMatch(/^id/m);
  expect(stream.retryMs).toBeGreaterThanOrEqual(1_000);
}

test('while Redis is down, streams get different reconnect delays; later they resume from their id', async () => {
  const { proxy, node, lines, alice, bob } = await behindProxy();
  const first = await listen(bob);
  await tell(alice, 'bob', 'before');
  await first.next('dm');
  first.close();
  await tell(alice, 'bob', 'meanwhile');
  proxy.refuse(true);
  const id = { lastEventId: first.lastEventId! };
  const rejected = [
    await openStream(node.url, bob.token),
    await openStream(node.url, bob.token, id),
    await openStream(node.url, bob.token, { query: id }),
    await openStream(node.url, bob.token, { presence: 'off' }),
  ];
  for (const stream of rejected) {
    await expectRejected(stream);
    expect(stream.retryMs).toBeLessThan(4_000);
  }
  expect(new Set(rejected.map(({ retryMs }) => retryMs)).size).toBeGreaterThan(1);
  expect(rejected[1]!.lastEventId).toBe(id.lastEventId);
  expect(lines().filter(({ msg }) => msg === 'unavailable').length).toBeGreaterThanOrEqual(4);
  expect(lines().filter(({ path, status }) => path === '/v1/events' && status === 503)).toHaveLength(4);
  proxy.refuse(false);
  await until('Redis is back', async () => (await send(node, 'GET', '/readyz')).status === 200);
  const again = await listen(bob, id);
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false });
  expect((await again.next('dm')).data.text).toBe('meanwhile');
});

test('a ticket used while Redis is down stays valid', async () => {
  const { proxy, node, ticket } = await behindProxy();
  const query = { ticket: await ticket() };
  proxy.refuse(true);
  await expectRejected(await openStream(node.url, undefined, { query }));
  await expectRejected(await openStream(node.url, undefined, { query: { ticket: 'garbage' } }));
  proxy.refuse(false);
  await until('Redis is back', async () => (await send(node, 'GET', '/readyz')).status === 200);
  const stream = await openStream(node.url, undefined, { query });
  onTestFinished(() => stream.close());
  expect((await stream.next('ready')).data.username).toBe('bob');
  expectProblem(await send(node, 'GET', '/v1/events?ticket=garbage'), 'bad_ticket');
});

test('streams and tickets are rejected in time while Redis does not respond', async () => {
  const { proxy, node, bob, ticket } = await behindProxy();
  const query = { ticket: await ticket() };
  proxy.hang(true);
  const startedAtMs = performance.now();
  await Promise.all([
    openStream(node.url, bob.token).then((stream) => expectRejected(stream)),
    openStream(node.url, undefined, { query }).then((stream) => expectRejected(stream)),
  ]);
  expect(performance.now() - startedAtMs).toBeLessThan(within(8_000));
  proxy.hang(false);
});

test('a stream that times out while Redis is slow is rejected, and is not opened later', async () => {
  const { proxy, node, bob } = await behindProxy();
  proxy.delay(2_600);
  await expectRejected(await openStream(node.url, bob.token));
  proxy.delay(0);
  await until('bob is offline', async () => {
    const { body } = await send(node, 'GET', '/v1/users/bob', { token: bob.token });
    return body.online === false;
  });
});

test('invalid stream requests get a problem, whether Redis is up or down', async () => {
  const { proxy, node, bob } = await behindProxy();
  for (const isDown of [false, true]) {
    proxy.refuse(isDown);
    expectProblem(await send(node, 'GET', '/v1/events'), 'unauthenticated');
    expectProblem(await send(node, 'GET', '/v1/events', { token: 'garbage' }), 'unauthenticated');
    expectProblem(await send(node, 'GET', '/v1/events?ticket=x', { token: 'garbage' }), 'unauthenticated');
    const invalid = await send(node, 'GET', '/v1/events?presence=some', { token: bob.token });
    expectProblem(invalid, 'validation_failed', 'query/presence');
  }
});

test('a node that is shutting down does not consume tickets', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const bob = await person(node, 'bob');
  const { body } = await call(node, 'createTicket', { token: bob.token });
  const socket = connect(Number(new URL(node.url).port), '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => void socket.destroy());
  let output = '';
  socket.on('data', (text) => {
    output += text;
  });
  socket.write(`GET /v1/events?ticket=${body.ticket} HTTP/1.1\r\n`);
  await once(socket, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 100)); // the start of the request has arrived
  const closed = node.close();
  socket.write('Host: localhost\r\n\r\n');
  await once(socket, 'end');
  socket.end();
  expect(output).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(output).toMatch(/\r\n\r\nretry: \d+\nevent: goodbye\ndata: \{.*"reconnect":true\}\n\n$/);
  await closed;
  const stream = await openStream(other.url, undefined, { query: { ticket: body.ticket } });
  onTestFinished(() => stream.close());
  expect((await stream.next('ready')).data.username).toBe('bob');
});

test('a stream over budget gets a reconnect delay only with a valid token', async () => {
  for (const setting of ['ACCOUNT_BUDGET', 'NETWORK_BUDGET']) {
    const node = await startNode({ [setting]: '60/60' });
    const bob = await person(node, 'bob');
    await until('the budget is exceeded', async () => {
      const { status } = await send(node, 'GET', '/v1/me', { token: bob.token });
      return status === 429;
    });
    const stream = await openStream(node.url, bob.token);
    await expectRejected(stream, 'too_many_requests');
    const bad = await send(node, 'GET', '/v1/events', { token: 'garbage' });
    expect(bad.status).toBeGreaterThanOrEqual(400);
  }
});
