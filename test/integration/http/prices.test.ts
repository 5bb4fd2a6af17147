/** How requests are charged, when they are rejected, and how clients are slowed down after that. */
import { describe, expect, test } from 'vitest';
import { PRICES } from '../../../src/http/operations/prices.ts';
import { listen, person, say, startNode } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { dial, received, request, requestBytes, statusesIn } from '../../kit/raw.ts';

const countOf = (statuses: number[], status: number) => statuses.filter((each) => each === status).length;
const BIG = '😀'.repeat(4_000);

test('a request that ends in a 4xx costs its network ten times as much as a successful one', async () => {
  const node = await startNode({ NETWORK_BUDGET: '200/2000' });
  const statuses = [];
  for (let n = 0; n < 40; n += 1) statuses.push((await request(node, { path: '/v1/nothing' })).status);
  expect(countOf(statuses, 404)).toBeGreaterThanOrEqual(19);
  expect(countOf(statuses, 404)).toBeLessThanOrEqual(22);
  expect(statuses.at(-1)).toBe(429);
});

test('input that is not HTTP costs the same, and gets no response once the budget is exceeded', async () => {
  const node = await startNode({ NETWORK_BUDGET: '100/1000' });
  const responses: string[] = [];
  for (let n = 0; n < 20; n += 1) {
    const socket = await dial(node);
    socket.write('rubbish\r\n\r\n');
    responses.push(await received(socket, 2_000));
  }
  expect(responses[0]).toMatch(/^HTTP\/1.1 400 /);
  expect(responses.at(-1)).toBe('');
});

test('of many concurrent page requests only those within the budget are served', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '300/300', ACCOUNT_IN_FLIGHT: '8' });
  const alice = await person(node, 'alice');
  const bob = await person(await startNode({}, { prefix: node.prefix }), 'bob');
  for (let n = 0; n < 16; n += 1) expect((await say(bob, BIG)).status).toBe(201);
  const sockets = await Promise.all(Array.from({ length: 4 }, () => dial(node)));
  const all = Promise.all(sockets.map((each) => received(each, 4_000)));
  for (const each of sockets)
    each.write(requestBytes({ path: '/v1/broadcasts', token: alice.token }).repeat(6));
  const statuses = statusesIn((await all).join(''));
  expect(countOf(statuses, 200)).toBeGreaterThanOrEqual(2);
  expect(countOf(statuses, 200)).toBeLessThan(8);
});

test('of many sends with late bodies only those within the budget are carried out', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '20/2000' });
  const alice = await person(node, 'alice');
  const [head = '', body = ''] = requestBytes({
    ...{ method: 'POST', path: '/v1/broadcasts', token: alice.token, body: { text: 'hi' } },
  }).split('\r\n\r\n');
  const sockets = await Promise.all(Array.from({ length: 12 }, () => dial(node)));
  const all = Promise.all(sockets.map((each) => received(each, 1_500)));
  for (const each of sockets) each.write(`${head}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 300)); // each has passed the first check
  for (const each of sockets) each.write(body);
  const statuses = statusesIn((await all).join(''));
  expect([countOf(statuses, 201), countOf(statuses, 429)]).toEqual([7, 5]); // 3 points each
});

test('a body that never arrives is not charged', async () => {
  const node = await startNode({ NETWORK_BUDGET: '200/2000' });
  const head = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  for (let n = 0; n < 5; n += 1) {
    const socket = await dial(node);
    socket.end(`${head}Content-Length: 60000\r\n\r\n{`);
    expect(statusesIn(await received(socket, 2_000))).toEqual([400]);
  }
  expect((await request(node, { path: '/livez' })).status).toBe(200);
});

test('a broadcast is charged for the streams that receive it', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '200/2000' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  expect((await say(alice, BIG)).status).toBe(201);
  expect((await say(alice, BIG)).status).toBe(201);
  const listeners = await Promise.all(
    Array.from({ length: 6 }, async (_, n) => person(node, `listener${n}`)),
  );
  for (const listener of listeners) for (let n = 0; n < 10; n += 1) await listen(listener);
  expect((await say(bob, BIG)).status).toBe(201); // 120 points for 60 streams, plus about 25
  expect((await say(bob, BIG)).status).toBe(201);
  expectProblem(await say(bob, 'x'), 'too_many_requests');
  expect((await say(alice, 'x')).status).toBe(201);
});

describe('after a rejection', () => {
  test('the connection is not read for a while, even if a body is pending', async () => {
    const node = await startNode({ NETWORK_BUDGET: '5/5000' });
    const body = 'x'.repeat(60_000);
    const head = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const one = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    for (let n = 0; n < 2; n += 1) await request(node, { path: '/v1/nothing' });
    const socket = await dial(node);
    let output = '';
    socket.on('data', (chunk: Buffer) => {
      output += chunk.toString('latin1');
      if (statusesIn(output).length < 100) socket.write(one);
    });
    socket.write(one);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    socket.destroy();
    expect(countOf(statusesIn(output), 429)).toBeGreaterThanOrEqual(2);
    expect(countOf(statusesIn(output), 429)).toBeLessThan(12);
  });

  test('a stream that only sets a reconnect delay is delayed as well', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '5/500' });
    const alice = await person(node, 'alice');
    while ((await request(node, { path: '/v1/me', token: alice.token })).status === 200);
    const startedAt = performance.now();
    const socket = await dial(node);
    socket.write(requestBytes({ path: '/v1/events', token: alice.token }));
    expect(await received(socket, 4_000)).toContain('too_many_requests');
    expect(performance.now() - startedAt).toBeGreaterThan(240);
  });

  test('only a few pipelined requests get a 429 before the connection closes', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '5/500' });
    const alice = await person(node, 'alice');
    while ((await request(node, { path: '/v1/me', token: alice.token })).status === 200);
    const socket = await dial(node);
    socket.write(requestBytes({ path: '/v1/me', token: alice.token }).repeat(80));
    const statuses = statusesIn(await received(socket, 4_000));
    expect(countOf(statuses, 429)).toBeLessThanOrEqual(10);
    expect(statuses.length).toBe(countOf(statuses, 429));
  });
});

test('the initial replay of a stream is charged, waits for points, and is complete', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '150/10' });
  const alice = await person(node, 'alice');
  const bob = await person(await startNode({}, { prefix: node.prefix }), 'bob');
  for (let n = 0; n < 40; n += 1)
    expect(
      (
        await call(bob.node, 'sendDirect', {
          token: bob.token,
          path: { username: 'alice' },
          body: { text: BIG },
        })
      ).status,
    ).toBe(201);
  const startedAt = performance.now();
  const stream = await listen(alice);
  while (stream.messages().length < 40) await new Promise((resolve) => setTimeout(resolve, 50));
  expect(performance.now() - startedAt).toBeGreaterThan(5_000); // 40 times 8 points, with 130 available
});

test('a response larger than its price allows is not sent and returns an internal error', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const { answerKiB } = PRICES.getMe;
  PRICES.getMe.answerKiB = 0;
  try {
    expectProblem(await call(node, 'getMe', { token: alice.token }), 'internal');
  } finally {
    PRICES.getMe.answerKiB = answerKiB;
  }
  expect((await call(node, 'getMe', { token: alice.token })).status).toBe(200);
});
