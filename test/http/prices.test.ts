/** What requests are charged, when they are refused, and how long who was refused waits. */
import { describe, expect, test } from 'vitest';
import { PRICES } from '../../src/http/operations/index.ts';
import { listen, person, say, startNode } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { expectProblem } from '../support/http.ts';
import { ask, bytesOf, dial, heard, statusesIn } from '../support/raw.ts';

const countOf = (statuses: number[], status: number) => statuses.filter((each) => each === status).length;
const BIG = '😀'.repeat(4_000);

test('what is asked in vain costs its network ten times as much as an answer', async () => {
  const node = await startNode({ NETWORK_BUDGET: '200/2000' });
  const statuses = [];
  for (let n = 0; n < 40; n += 1) statuses.push((await ask(node, { path: '/v1/nothing' })).status);
  expect(countOf(statuses, 404)).toBeGreaterThanOrEqual(19);
  expect(countOf(statuses, 404)).toBeLessThanOrEqual(22);
  expect(statuses.at(-1)).toBe(429);
});

test('so does what cannot be read as HTTP; in the end it is not worth an answer', async () => {
  const node = await startNode({ NETWORK_BUDGET: '100/1000' });
  const said: string[] = [];
  for (let n = 0; n < 20; n += 1) {
    const socket = await dial(node);
    socket.write('rubbish\r\n\r\n');
    said.push(await heard(socket, 2_000));
  }
  expect(said[0]).toMatch(/^HTTP\/1.1 400 /);
  expect(said.at(-1)).toBe('');
});

test('of many pages that were asked for at once only what the budget allows is read', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '300/300', ACCOUNT_IN_FLIGHT: '8' });
  const alice = await person(node, 'alice');
  const bob = await person(await startNode({}, { prefix: node.prefix }), 'bob');
  for (let n = 0; n < 16; n += 1) expect((await say(bob, BIG)).status).toBe(201);
  const sockets = await Promise.all(Array.from({ length: 4 }, () => dial(node)));
  const all = Promise.all(sockets.map((each) => heard(each, 4_000)));
  for (const each of sockets) each.write(bytesOf({ path: '/v1/broadcasts', token: alice.token }).repeat(6));
  const statuses = statusesIn((await all).join(''));
  expect(countOf(statuses, 200)).toBeGreaterThanOrEqual(2);
  expect(countOf(statuses, 200)).toBeLessThan(8);
});

test('of many sends whose bodies come late only what the budget allows is done', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '20/2000' });
  const alice = await person(node, 'alice');
  const [head = '', body = ''] = bytesOf({
    ...{ method: 'POST', path: '/v1/broadcasts', token: alice.token, body: { text: 'hi' } },
  }).split('\r\n\r\n');
  const sockets = await Promise.all(Array.from({ length: 12 }, () => dial(node)));
  const all = Promise.all(sockets.map((each) => heard(each, 1_500)));
  for (const each of sockets) each.write(`${head}\r\n\r\n`);
  await new Promise((resolve) => setTimeout(resolve, 300)); // each has been let in
  for (const each of sockets) each.write(body);
  const statuses = statusesIn((await all).join(''));
  expect([countOf(statuses, 201), countOf(statuses, 429)]).toEqual([7, 5]); // 3 points each
});

test('a body that never comes costs no more than the request', async () => {
  const node = await startNode({ NETWORK_BUDGET: '200/2000' });
  const head = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
  for (let n = 0; n < 5; n += 1) {
    const socket = await dial(node);
    socket.end(`${head}Content-Length: 60000\r\n\r\n{`);
    expect(statusesIn(await heard(socket, 2_000))).toEqual([400]);
  }
  expect((await ask(node, { path: '/livez' })).status).toBe(200);
});

test('a broadcast is charged for the streams it goes to', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '200/2000' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  expect((await say(alice, BIG)).status).toBe(201);
  expect((await say(alice, BIG)).status).toBe(201);
  const listeners = await Promise.all(
    Array.from({ length: 6 }, async (_, n) => person(node, `listener${n}`)),
  );
  for (const listener of listeners) for (let n = 0; n < 10; n += 1) await listen(listener);
  expect((await say(bob, BIG)).status).toBe(201); // 120 points for 60 streams, beside some 25
  expect((await say(bob, BIG)).status).toBe(201);
  expectProblem(await say(bob, 'x'), 'too_many_requests');
  expect((await say(alice, 'x')).status).toBe(201);
});

describe('who was refused', () => {
  test('is not read for a while, also where a body is still to come', async () => {
    const node = await startNode({ NETWORK_BUDGET: '5/5000' });
    const body = 'x'.repeat(60_000);
    const head = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n';
    const one = `${head}Content-Length: ${body.length}\r\n\r\n${body}`;
    for (let n = 0; n < 2; n += 1) await ask(node, { path: '/v1/nothing' });
    const socket = await dial(node);
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString('latin1');
      if (statusesIn(said).length < 100) socket.write(one);
    });
    socket.write(one);
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    socket.destroy();
    expect(countOf(statusesIn(said), 429)).toBeGreaterThanOrEqual(2);
    expect(countOf(statusesIn(said), 429)).toBeLessThan(12);
  });

  test('waits for a stream that says not now', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '5/500' });
    const alice = await person(node, 'alice');
    while ((await ask(node, { path: '/v1/me', token: alice.token })).status === 200);
    const startedAt = performance.now();
    const socket = await dial(node);
    socket.write(bytesOf({ path: '/v1/events', token: alice.token }));
    expect(await heard(socket, 4_000)).toContain('too_many_requests');
    expect(performance.now() - startedAt).toBeGreaterThan(240);
  });

  test('hears of few of those that came in one piece', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '5/500' });
    const alice = await person(node, 'alice');
    while ((await ask(node, { path: '/v1/me', token: alice.token })).status === 200);
    const socket = await dial(node);
    socket.write(bytesOf({ path: '/v1/me', token: alice.token }).repeat(80));
    const statuses = statusesIn(await heard(socket, 4_000));
    expect(countOf(statuses, 429)).toBeLessThanOrEqual(10);
    expect(statuses.length).toBe(countOf(statuses, 429));
  });
});

test('what a stream reads at its beginning is charged, waits for points, and all of it comes', async () => {
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
  expect(performance.now() - startedAt).toBeGreaterThan(5_000); // 40 times 8 points, of which there were 130
}, 40_000);

test('an answer that is larger than its price says is a bug, and is not sent', async () => {
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
