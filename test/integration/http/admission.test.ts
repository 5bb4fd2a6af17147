/** Limits per account, network and connection, and that one client's load does not affect the others. */
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Budgets } from '../../../src/http/admission/budgets.ts';
import { PRICES } from '../../../src/http/operations/prices.ts';
import { passwordThreads, person, say, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { call, expectContract } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { dial, received, request, requestBytes, statusesIn } from '../../kit/raw.ts';
import { everything } from '../../kit/state.ts';

const NEIGHBOUR = '127.0.0.2';
const many = <T>(count: number, make: (n: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, n) => make(n)));
const countOf = (statuses: number[], status: number): number =>
  statuses.filter((each) => each === status).length;

describe('the budget of an account', () => {
  test('covers all its requests from any network, and does not affect other accounts', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '30/30' });
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    const statuses = [];
    for (let n = 0; n < 40; n += 1)
      statuses.push(
        (await request(node, { path: '/v1/me', token: alice.token }, { from: `127.0.0.${n + 1}` })).status,
      );
    expect(countOf(statuses, 200)).toBeGreaterThanOrEqual(30);
    expect(countOf(statuses, 200)).toBeLessThan(35);
    expect(statuses.at(-1)).toBe(429);
    expectProblem(
      await call(node, 'sendBroadcast', { token: alice.token, body: { text: 'x' } }),
      'too_many_requests',
    );
    expect((await say(bob, 'hello')).status).toBe(201);
  });

  test('has points again after the time in Retry-After', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '20/2' });
    const alice = await person(node, 'alice');
    let reply = await request(node, { path: '/v1/me', token: alice.token });
    for (let n = 0; reply.status === 200 && n < 100; n += 1)
      reply = await request(node, { path: '/v1/me', token: alice.token });
    expect(reply.status).toBe(429);
    await sleep(reply.retryAfter! * 1_000);
    expect((await request(node, { path: '/v1/me', token: alice.token })).status).toBe(200);
  });

  test('is charged by the size of the response: a large page costs as much as many small ones', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '100/100' });
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    const elsewhere = await startNode({}, { prefix: node.prefix });
    for (let n = 0; n < 16; n += 1) await say({ ...bob, node: elsewhere }, '😀'.repeat(4_000));
    expect((await call(node, 'listBroadcasts', { token: alice.token, query: { limit: 1 } })).status).toBe(
      200,
    );
    expect((await call(node, 'listBroadcasts', { token: alice.token, query: { limit: 100 } })).status).toBe(
      200,
    );
    let served = 0;
    while (served < 90 && (await request(node, { path: '/v1/me', token: alice.token })).status === 200)
      served += 1;
    expect(served).toBeLessThan(60);
  });

  test('is charged by the size of the request', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '38/300' });
    const alice = await person(node, 'alice');
    for (let n = 0; n < 3; n += 1) expect((await say(alice, 'short')).status).toBe(201);
    expect((await say(alice, '😀'.repeat(4_000))).status).toBe(201);
    expect((await say(alice, '😀'.repeat(4_000))).status).toBe(201);
    expect((await say(alice, 'short')).status).toBe(429);
  });

  test('is charged much more for a large invalid body than for a valid one', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '300/300' });
    const alice = await person(node, 'alice');
    const post = (body: object) =>
      request(node, { method: 'POST', path: '/v1/broadcasts', token: alice.token, body });
    for (let n = 0; n < 5; n += 1) expect((await post({ text: '😀'.repeat(4_000) })).status).toBe(201);
    expect((await post({ text: 1, more: 'x'.repeat(60_000) })).status).toBe(400);
    expect((await post({ text: 'x' })).status).toBe(429);
  });

  test('is not charged for requests with an invalid token', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '20/100' });
    const alice = await person(node, 'alice');
    for (let n = 0; n < 40; n += 1) await request(node, { path: '/v1/me', token: `${alice.token}x` });
    expect((await request(node, { path: '/v1/me', token: alice.token })).status).toBe(200);
  });

  test('prevents all writes when it is exceeded', async () => {
    const node = await startNode({ ACCOUNT_BUDGET: '9/1000' });
    const alice = await person(node, 'alice');
    while ((await say(alice, 'x')).status === 201);
    const before = await everything(node);
    for (let n = 0; n < 5; n += 1) {
      expectProblem(await say(alice, 'x'), 'too_many_requests');
      expectProblem(await tell(alice, 'alice', 'x'), 'too_many_requests');
    }
    expect(await everything(node)).toEqual(before);
  });

  test('does not limit anything when it is turned off', async () => {
    const node = await startNode({
      ACCOUNT_BUDGET: '0',
      NETWORK_BUDGET: '0',
      ACCOUNT_IN_FLIGHT: '0',
      NETWORK_IN_FLIGHT: '0',
      CONNECTION_IN_FLIGHT: '0',
      NETWORK_CONNECTIONS: '0',
    });
    const alice = await person(node, 'alice');
    const replies = await many(60, () => request(node, { path: '/v1/broadcasts', token: alice.token }));
    expect(
      countOf(
        replies.map(({ status }) => status),
        200,
      ),
    ).toBe(60);
  });
});

describe('the budget of a network', () => {
  const KINDS: Record<string, Parameters<typeof request>[1]> = {
    'unknown paths': { path: '/v1/nothing' },
    pages: { path: '/openapi.yaml' },
    'methods that are not allowed': { method: 'PUT', path: '/v1/me' },
    'calls without a token': { path: '/v1/me' },
    'calls with an invalid token': { path: '/v1/me', token: 'x.y.z' },
    'bad bodies': { method: 'POST', path: '/v1/login', body: { user: 1 } },
    'bad credentials': {
      method: 'POST',
      path: '/v1/login',
      body: { username: 'x', password: 'wrong password' },
    },
    'bad refresh tokens': { method: 'POST', path: '/v1/refresh', body: { refreshToken: 'x.y.z' } },
    'streams with an invalid token': { path: '/v1/events', token: 'x.y.z' },
    health: { path: '/livez' },
    preflights: {
      method: 'OPTIONS',
      path: '/v1/me',
      headers: { Origin: 'https://a.example', 'Access-Control-Request-Method': 'GET' },
    },
    'hosts that are not served': { path: '/v1/me', headers: { Host: 'evil.example' } },
  };

  test.each(Object.keys(KINDS))('is charged for %s, and does not affect other networks', async (kind) => {
    const node = await startNode({ NETWORK_BUDGET: '60/60', CORS_ORIGINS: 'https://a.example' });
    const statuses = [];
    for (let n = 0; n < 80; n += 1) statuses.push((await request(node, KINDS[kind]!)).status);
    expect(countOf(statuses.slice(0, 2), 429)).toBe(0);
    expect(countOf(statuses.slice(-10), 429)).toBeGreaterThanOrEqual(8);
    expect((await request(node, { path: '/livez' }, { from: NEIGHBOUR })).status).toBe(200);
  });

  test('is shared by all its accounts', async () => {
    const node = await startNode({ NETWORK_BUDGET: '200/200' });
    const people = await many(4, (n) => person(node, `user-${n}`));
    const statuses = [];
    for (let n = 0; n < 120; n += 1)
      statuses.push((await request(node, { path: '/v1/me', token: people[n % 4]!.token })).status);
    expect(statuses[0]).toBe(200);
    expect(statuses.at(-1)).toBe(429);
    expect(
      (await request(node, { path: '/v1/me', token: people[0]!.token }, { from: NEIGHBOUR })).status,
    ).toBe(200);
  });

  test('belongs to the client behind a proxy, and IPv6 has one for each size of network', async () => {
    const node = await startNode({ NETWORK_BUDGET: '40/200', TRUST_PROXY: '1' });
    const served = async (addressOf: (n: number) => string, tries: number) => {
      let good = 0;
      for (let n = 0; n < tries; n += 1) {
        const headers = { 'X-Forwarded-For': addressOf(n) };
        if ((await request(node, { path: '/livez', headers })).status === 200) good += 1;
      }
      return good;
    };
    expect(await served(() => '192.0.2.1', 30)).toBeLessThan(24);
    expect(await served(() => '192.0.2.2', 10)).toBe(10);
    const inOne56 = await served((n) => `2001:db8:0:${n.toString(16)}::1`, 120);
    expect(inOne56).toBeGreaterThanOrEqual(80);
    expect(inOne56).toBeLessThan(90);
    expect(await served((n) => `2001:db8:1:${(n * 256).toString(16)}::1`, 120)).toBe(120);
  });

  test('when exceeded, a stream gets a goodbye with a reconnect delay, and a ticket stays valid', async () => {
    const node = await startNode({ NETWORK_BUDGET: '60/2000' });
    const alice = await person(node, 'alice');
    const { body } = await call(node, 'createTicket', { token: alice.token });
    while ((await request(node, { path: '/livez' })).status === 200);
    for (const target of [
      { path: '/v1/events', token: alice.token },
      { path: `/v1/events?ticket=${body.ticket}` },
    ]) {
      const reply = await request(node, target);
      expect(reply.status).toBe(200);
      expect(reply.text).toMatch(/retry: \d+/);
      expect(reply.text).toContain('"code":"too_many_requests","reconnect":true');
    }
    const socket = await dial(node, NEIGHBOUR);
    socket.write(requestBytes({ path: `/v1/events?ticket=${body.ticket}` }));
    expect(await received(socket, 500)).toContain('event: ready');
  });

  test('when exceeded, the response carries CORS headers', async () => {
    const node = await startNode({ NETWORK_BUDGET: '5/100', CORS_ORIGINS: 'https://a.example' });
    const headers = { Origin: 'https://a.example' };
    for (let n = 0; n < 8; n += 1) await send(node, 'GET', '/livez', { headers });
    const answer = await send(node, 'GET', '/livez', { headers });
    expectProblem(answer, 'too_many_requests');
    expect(answer.headers['access-control-allow-origin']).toBe('https://a.example');
    expect(answer.headers['access-control-expose-headers']).toContain('Retry-After');
  });

  test('when exceeded, a client that keeps sending is read slowly', async () => {
    const node = await startNode({ NETWORK_BUDGET: '5/100' });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let n = 0; n < 8; n += 1) await request(node, { path: '/livez' }, { agent });
    const start = performance.now();
    for (let n = 0; n < 4; n += 1)
      expect((await request(node, { path: '/livez' }, { agent })).status).toBe(429);
    agent.destroy();
    expect(performance.now() - start).toBeGreaterThan(600);
  });
});

describe('requests in flight', () => {
  test('twenty concurrent sends of one client are all stored, and in order on one connection', async () => {
    const node = await startNode({
      ACCOUNT_IN_FLIGHT: '16',
      NETWORK_IN_FLIGHT: '128',
      CONNECTION_IN_FLIGHT: '8',
    });
    const alice = await person(node, 'alice');
    for (const { status } of await many(20, (n) => say(alice, `p${n}`))) expect(status).toBe(201);
    const socket = await dial(node);
    const sends = Array.from({ length: 20 }, (_, n) =>
      requestBytes({ method: 'POST', path: '/v1/broadcasts', token: alice.token, body: { text: `q${n}` } }),
    );
    socket.write(sends.join(''));
    const text = await received(socket, 1_500);
    const texts = [...text.matchAll(/"text":"(q\d+)"[^}]*"seq":(\d+)/g)];
    expect(texts.map(([, each]) => each)).toEqual(Array.from({ length: 20 }, (_, n) => `q${n}`));
    const seqs = texts.map(([, , seq]) => Number(seq));
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
  });

  test('eighty pipelined page requests are served in turn, and do not delay another account', async () => {
    const node = await startNode({
      ACCOUNT_IN_FLIGHT: '16',
      NETWORK_IN_FLIGHT: '128',
      CONNECTION_IN_FLIGHT: '8',
    });
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    for (let n = 0; n < 20; n += 1) await say(bob, '😀'.repeat(4_000));
    const socket = await dial(node);
    const page = requestBytes({ path: '/v1/broadcasts?limit=1000', token: alice.token });
    socket.write(page.repeat(80));
    const responses = received(socket, 15_000);
    for (let n = 0; n < 5; n += 1) expect((await say(bob, 'meanwhile')).status).toBe(201);
    await until('the first response arrives', async () => socket.bytesRead > 0);
    socket.end();
    expect(statusesIn(await responses).every((status) => status === 200 || status === 429)).toBe(true);
  });

  test('a full queue on a connection gets a single 429, and the connection closes', async () => {
    const node = await startNode({ CONNECTION_IN_FLIGHT: '2', ACCOUNT_IN_FLIGHT: '2' });
    const alice = await person(node, 'alice');
    const socket = await dial(node);
    socket.write(requestBytes({ path: '/v1/me', token: alice.token }).repeat(500));
    const text = await received(socket, 10_000);
    const statuses = statusesIn(text);
    expect(countOf(statuses, 200)).toBeGreaterThan(100);
    expect(countOf(statuses, 200)).toBeLessThan(200);
    expect(statuses.at(-1)).toBe(429);
    expect(countOf(statuses, 429)).toBe(1);
    expect(text).toMatch(/Connection: close/i);
  });

  test('an account has a bounded queue and gets 429 beyond it; another account of its network is served', async () => {
    const node = await startNode({ ACCOUNT_IN_FLIGHT: '2', NETWORK_IN_FLIGHT: '128' });
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    const sockets = await many(60, () => dial(node));
    const all = Promise.all(sockets.map((each) => received(each, 2_000)));
    for (const each of sockets) each.write(requestBytes({ path: '/v1/dm', token: alice.token }).repeat(4));
    for (const { status } of await many(2, () => say(bob, 'hi'))) expect(status).toBe(201);
    const statuses = statusesIn((await all).join(''));
    expect(countOf(statuses, 200)).toBeGreaterThanOrEqual(9);
    expect(countOf(statuses, 429)).toBeGreaterThan(10);
    expect(countOf(statuses, 200) + countOf(statuses, 429)).toBe(240);
    await until(
      'alice is served again',
      async () => (await request(node, { path: '/v1/me', token: alice.token })).status === 200,
    );
  });

  test('requests without a token cannot take all the places of their network', async () => {
    const node = await startNode({ NETWORK_IN_FLIGHT: '8', BCRYPT_COST: '13' });
    const elsewhere = await startNode({}, { prefix: node.prefix });
    const { token } = await person(elsewhere, 'alice');
    let finished = 0;
    const logins = many(4, async (n) => {
      const body = { username: `nobody-${n}`, password: 'correct horse battery' };
      await request(node, { method: 'POST', path: '/v1/login', body });
      finished += 1;
    });
    await sleep(100);
    for (let n = 0; n < 3; n += 1) expect((await request(node, { path: '/v1/me', token })).status).toBe(200);
    expect(finished, 'the logins are still running').toBe(0);
    await logins;
  });
});

describe('the table of budgets', () => {
  const limits = { budget: { max: 100, windowMs: 100_000 }, inFlight: 16 };

  test('is bounded, and a flood of new keys does not evict those that have spent most', () => {
    const budgets = new Budgets(limits, 1_000);
    const attackers = Array.from({ length: 20 }, (_, n) => `attacker-${n}`);
    for (const [n, name] of attackers.entries()) {
      budgets.of(name, 1, 0).spend(500);
      for (let m = 0; m < 36; m += 1) budgets.of(`first-${n}-${m}`, 1, 0).spend(1);
    }
    const before = attackers.map((name) => budgets.of(name, 1, 0));
    for (let n = 0; n < 20_000; n += 1) budgets.of(`newcomer-${n}`, 1, 0).spend(1);
    expect(budgets.size).toBeLessThanOrEqual(1_001);
    expect(attackers.map((name) => budgets.of(name, 1, 0) === before[attackers.indexOf(name)])).not.toContain(
      false,
    );
    for (const each of before) expect(each.waitMs(0)).toBeGreaterThan(0);
  });

  test('drops budgets that are full and idle, and keeps those in use', () => {
    const budgets = new Budgets(limits, 1_000);
    budgets.of('idle', 1, 0);
    budgets.of('spender', 1, 0).spend(50);
    budgets.of('connected', 1, 0).connections = 1;
    budgets.of('busy', 1, 0).semaphore.enter(1);
    budgets.forgetIdle(0);
    expect(budgets.size).toBe(3);
    budgets.forgetIdle(60_000);
    expect(budgets.size).toBe(2);
  });
});

test('responses stay within the size that their price allows', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const sizes: Partial<Record<keyof typeof PRICES, string>> = {
    getMe: (await call(node, 'getMe', { token: alice.token })).text,
    sendBroadcast: (await say(alice, '\u0001'.repeat(4_000).replaceAll('\u0001', '😀'))).text,
    sendDirect: (await tell(alice, 'alice', '"'.repeat(4_000))).text,
    listOnline: (await call(node, 'listOnline', { token: alice.token })).text,
  };
  for (const [name, text] of Object.entries(sizes))
    expect(Buffer.byteLength(text), name).toBeLessThanOrEqual(
      PRICES[name as keyof typeof PRICES].answerKiB * 1_024,
    );
});

describe('rejections', () => {
  test('are logged together, not one by one', async () => {
    const { log, lines } = recorder();
    const node: TestNode = await startNode({ NETWORK_BUDGET: '5/1000' }, { log });
    for (let n = 0; n < 30; n += 1) await request(node, { path: '/livez' });
    await until('they are logged', () => lines().some(({ msg }) => msg === 'refused'), 8_000);
    expect(lines().filter(({ msg }) => msg === 'refused')).toMatchObject([
      { level: 'warn', reason: 'budget', count: expect.any(Number), network: '127.0.0.1' },
    ]);
    expect(lines().filter(({ status, level }) => status === 429 && level > 20)).toEqual([]);
  });

  test('are documented in the contract for every operation', async () => {
    const node = await startNode({ NETWORK_BUDGET: '1/1000' });
    await request(node, { path: '/livez' });
    await request(node, { path: '/livez' });
    for (const id of Object.keys(PRICES) as (keyof typeof PRICES)[]) {
      const answer = await call(node, id, { path: { username: 'x' } });
      expectProblem(answer, 'too_many_requests');
      expectContract(id, answer);
    }
  });
});

describe('after a rejection the connection is not read for a while', () => {
  const wrong = { username: 'alice', password: 'wrong password' };
  const login = { method: 'POST', path: '/v1/login', body: wrong };
  const me = { path: '/v1/me' };

  test.each([
    ['nothing', 401, { LOGIN_LIMIT: '0' }, () => {}],
    ['a limit', 429, { LOGIN_LIMIT: '1/300' }, () => {}],
    [
      'an unavailable password check',
      503,
      { LOGIN_LIMIT: '0' },
      () => vi.spyOn(passwordThreads, 'compare').mockRejectedValueOnce(new Error('the thread has ended')),
    ],
  ])('caused by %s (%i)', async (_, status, settings, fail) => {
    const node = await startNode(settings);
    const agents = [1, 2].map(() => new http.Agent({ keepAlive: true, maxSockets: 1 }));
    onTestFinished(() => {
      vi.restoreAllMocks();
      for (const agent of agents) agent.destroy();
    });
    const [refused, other] = agents.map((agent, n) => ({ agent, from: n === 0 ? '127.0.0.1' : NEIGHBOUR }));
    await request(node, login, refused);
    fail();
    expect((await request(node, login, refused)).status).toBe(status);
    const order: string[] = [];
    const next = request(node, me, refused).then(() => order.push('the same connection'));
    for (let n = 0; n < 3; n += 1) await request(node, me, other);
    order.push('another connection');
    await next;
    expect(order[0]).toBe(status === 401 ? 'the same connection' : 'another connection');
  });
});
