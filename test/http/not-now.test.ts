/**
 * A stream that cannot be opened now. An EventSource gives up for good on any status but 200, so whoever might be let in
 * later is answered 200, is told when to come back, and keeps its place.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, tell, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { expectProblem, send } from '../support/http.ts';
import { recorder } from '../support/log.ts';
import { redisProxy } from '../support/proxy.ts';
import { openStream, type StreamClient } from '../support/stream.ts';

async function behindProxy() {
  const proxy = await redisProxy();
  const { log, lines } = recorder();
  const node = await startNode({}, { redisUrl: proxy.url, log });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const ticket = async (): Promise<string> =>
    (await call(node, 'createTicket', { token: bob.token })).body.ticket;
  return { proxy, node, lines, alice, bob, ticket };
}

/** It says `goodbye` and no more, with a wait of its own, without an id; then it ends. */
async function expectTurnedAway(stream: StreamClient, code = 'unavailable'): Promise<void> {
  expect(stream.status).toBe(200);
  expect(stream.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
  });
  expect(stream.headers['x-request-id']).toBeDefined();
  await until('it has ended', () => stream.isClosed);
  expect(stream.events).toEqual([
    { kind: 'goodbye', id: undefined, data: { kind: 'goodbye', code, reconnect: true } },
  ]);
  expect(stream.raw).not.toMatch(/^id/m);
  expect(stream.retryMs).toBeGreaterThanOrEqual(1_000);
}

test('Redis is away: a stream is told when to come back, each at its own moment; later it resumes from its id', async () => {
  const { proxy, node, lines, alice, bob } = await behindProxy();
  const first = await listen(bob);
  await tell(alice, 'bob', 'before');
  await first.next('dm');
  first.close();
  await tell(alice, 'bob', 'meanwhile');
  proxy.refuse(true);
  const id = { lastEventId: first.lastEventId! };
  const away = [
    await openStream(node.url, bob.token),
    await openStream(node.url, bob.token, id),
    await openStream(node.url, bob.token, { query: id }),
    await openStream(node.url, bob.token, { presence: 'off' }),
  ];
  for (const stream of away) {
    await expectTurnedAway(stream);
    expect(stream.retryMs).toBeLessThan(4_000);
  }
  expect(new Set(away.map(({ retryMs }) => retryMs)).size).toBeGreaterThan(1);
  expect(away[1]!.lastEventId).toBe(id.lastEventId);
  expect(lines().filter(({ msg }) => msg === 'unavailable').length).toBeGreaterThanOrEqual(4);
  expect(lines().filter(({ path, status }) => path === '/v1/events' && status === 503)).toHaveLength(4);
  proxy.refuse(false);
  await until('Redis is back', async () => (await send(node, 'GET', '/readyz')).status === 200);
  const again = await listen(bob, id);
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false });
  expect((await again.next('dm')).data.text).toBe('meanwhile');
});

test('Redis is away: a ticket cannot be judged, and is good when Redis is back', async () => {
  const { proxy, node, ticket } = await behindProxy();
  const query = { ticket: await ticket() };
  proxy.refuse(true);
  await expectTurnedAway(await openStream(node.url, undefined, { query }));
  await expectTurnedAway(await openStream(node.url, undefined, { query: { ticket: 'garbage' } }));
  proxy.refuse(false);
  await until('Redis is back', async () => (await send(node, 'GET', '/readyz')).status === 200);
  const stream = await openStream(node.url, undefined, { query });
  onTestFinished(() => stream.close());
  expect((await stream.next('ready')).data.username).toBe('bob');
  expectProblem(await send(node, 'GET', '/v1/events?ticket=garbage'), 'bad_ticket');
});

test('Redis takes everything and answers nothing: the same, within the deadline', async () => {
  const { proxy, node, bob, ticket } = await behindProxy();
  const query = { ticket: await ticket() };
  proxy.hang(true);
  const startedAtMs = performance.now();
  await Promise.all([
    openStream(node.url, bob.token).then((stream) => expectTurnedAway(stream)),
    openStream(node.url, undefined, { query }).then((stream) => expectTurnedAway(stream)),
  ]);
  expect(performance.now() - startedAtMs).toBeLessThan(8_000);
  proxy.hang(false);
});

test('Redis is slow and the deadline comes: the same, and the stream is not opened behind its back', async () => {
  const { proxy, node, bob } = await behindProxy();
  proxy.delay(2_600);
  await expectTurnedAway(await openStream(node.url, bob.token));
  proxy.delay(0);
  await until(
    'nobody is online',
    async () => {
      const { body } = await send(node, 'GET', '/v1/users/bob', { token: bob.token });
      return body.online === false;
    },
    12_000,
  );
});

test('what cannot pass is a problem, whether Redis is there or not', async () => {
  const { proxy, node, bob } = await behindProxy();
  for (const isAway of [false, true]) {
    proxy.refuse(isAway);
    expectProblem(await send(node, 'GET', '/v1/events'), 'unauthenticated');
    expectProblem(await send(node, 'GET', '/v1/events', { token: 'garbage' }), 'unauthenticated');
    expectProblem(await send(node, 'GET', '/v1/events?ticket=x', { token: 'garbage' }), 'unauthenticated');
    const misfit = await send(node, 'GET', '/v1/events?presence=some', { token: bob.token });
    expectProblem(misfit, 'validation_failed', 'query/presence');
  }
});

test('a node that stops uses up no ticket', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const bob = await person(node, 'bob');
  const { body } = await call(node, 'createTicket', { token: bob.token });
  const socket = connect(Number(new URL(node.url).port), '127.0.0.1').setEncoding('utf8');
  onTestFinished(() => void socket.destroy());
  let said = '';
  socket.on('data', (text) => {
    said += text;
  });
  socket.write(`GET /v1/events?ticket=${body.ticket} HTTP/1.1\r\n`);
  await once(socket, 'connect');
  await new Promise((resolve) => setTimeout(resolve, 100)); // its beginning has come
  const closed = node.close();
  socket.write('Host: localhost\r\n\r\n');
  await once(socket, 'end');
  socket.end();
  expect(said).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(said).toMatch(/\r\n\r\nretry: \d+\nevent: goodbye\ndata: \{.*"reconnect":true\}\n\n$/);
  await closed;
  const stream = await openStream(other.url, undefined, { query: { ticket: body.ticket } });
  onTestFinished(() => stream.close());
  expect((await stream.next('ready')).data.username).toBe('bob');
});

test('an account or a network over its budget: a stream is told how long to wait, with a good token alone', async () => {
  for (const setting of ['ACCOUNT_BUDGET', 'NETWORK_BUDGET']) {
    const node = await startNode({ [setting]: '60/60' });
    const bob = await person(node, 'bob');
    await until('the budget is used up', async () => {
      const { status } = await send(node, 'GET', '/v1/me', { token: bob.token });
      return status === 429;
    });
    const stream = await openStream(node.url, bob.token);
    await expectTurnedAway(stream, 'too_many_requests');
    const bad = await send(node, 'GET', '/v1/events', { token: 'garbage' });
    expect(bad.status).toBeGreaterThanOrEqual(400);
  }
});
