/** Connections: the limit per network, responses that the client does not read, and work after a disconnect. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectionCap, processCap } from '../../../src/http/admission/file-limit.ts';
import { person, say, startNode, until } from '../../kit/app.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { dial, received, request, requestBytes } from '../../kit/raw.ts';

const NEIGHBOUR = '127.0.0.2';

describe('the connections of a network', () => {
  test('are limited: one above the limit gets 429, and another network is served', async () => {
    const node = await startNode({ NETWORK_CONNECTIONS: '5' });
    const sockets: Socket[] = [];
    for (let n = 0; n < 5; n += 1) sockets.push(await dial(node));
    const newcomer = await received(await dial(node), 3_000);
    expect(newcomer).toMatch(/^HTTP\/1\.1 429 Too Many Requests\r\n/);
    expect(newcomer).toMatch(/\r\nConnection: close\r\n/);
    expect(newcomer).toMatch(/\r\nRetry-After: [1-9]\d*\r\n/);
    const [head = '', body = ''] = newcomer.split('\r\n\r\n');
    const headers = Object.fromEntries(head.split('\r\n').map((line) => line.toLowerCase().split(': ')));
    expectProblem(
      {
        status: 429,
        headers: { ...headers, 'x-request-id': /X-Request-Id: (.*)/.exec(head)![1]! },
        body: JSON.parse(body),
      },
      'too_many_requests',
    );
    expect((await request(node, { path: '/livez' }, { from: NEIGHBOUR })).status).toBe(200);
    sockets[0]!.destroy();
    await until('a connection is accepted again', async () => {
      const reply = await request(node, { path: '/livez' }).catch(() => undefined);
      return reply?.status === 200;
    });
  });

  test('include streams, which count until they close', async () => {
    const node = await startNode({ NETWORK_CONNECTIONS: '3' });
    const alice = await person(node, 'alice');
    const streams: Socket[] = [];
    for (let n = 0; n < 3; n += 1) {
      const socket = await dial(node);
      socket.write(requestBytes({ path: '/v1/events', token: alice.token }));
      await once(socket, 'data');
      streams.push(socket);
    }
    expect(await received(await dial(node), 3_000)).toMatch(/^HTTP\/1\.1 429/);
    for (const each of streams) each.destroy();
    await until('a connection is accepted again', async () => {
      const reply = await request(node, { path: '/livez' }).catch(() => undefined);
      return reply?.status === 200;
    });
  });

  test('behind a proxy are the open requests and streams of each client', async () => {
    const node = await startNode({ NETWORK_CONNECTIONS: '2', TRUST_PROXY: '1' });
    const alice = await person(node, 'alice');
    const headers = { 'X-Forwarded-For': '192.0.2.1' };
    const open = async (from: string) => {
      const socket = await dial(node);
      socket.write(
        requestBytes({ path: '/v1/events', token: alice.token, headers: { 'X-Forwarded-For': from } }),
      );
      const [bytes] = await once(socket, 'data');
      return { socket, text: String(bytes) };
    };
    for (let n = 0; n < 6; n += 1) await dial(node); // idle connections of the proxy
    const streams = [await open('192.0.2.1'), await open('192.0.2.1')];
    for (const { text } of streams) expect(text).toContain('event: ready');
    expectProblem(await send(node, 'GET', '/v1/me', { token: alice.token, headers }), 'too_many_requests');
    expect((await open('192.0.2.1')).text).toContain('too_many_requests');
    expect((await send(node, 'GET', '/livez', { headers: { 'X-Forwarded-For': '192.0.2.2' } })).status).toBe(
      200,
    );
    streams[0]!.socket.destroy();
    await until(
      'a request is accepted again',
      async () => (await send(node, 'GET', '/livez', { headers })).status === 200,
    );
  });

  test('above the limit are logged together', async () => {
    const { log, lines } = recorder();
    const node = await startNode({ NETWORK_CONNECTIONS: '1' }, { log });
    await dial(node);
    for (let n = 0; n < 10; n += 1) await received(await dial(node), 2_000);
    await until('they are logged', () => lines().some(({ msg }) => msg === 'refused'), 8_000);
    expect(lines().filter(({ msg }) => msg === 'refused')).toMatchObject([
      { level: 'warn', reason: 'connections', count: 10, network: '127.0.0.1' },
    ]);
  });

  test('above the limit are all closed, even in a flood', async () => {
    const node = await startNode({ NETWORK_CONNECTIONS: '2' });
    for (let n = 0; n < 2; n += 1) await dial(node);
    const closed = Array.from({ length: 300 }, async () => received(await dial(node), 5_000));
    await Promise.all(closed);
    expect((await request(node, { path: '/livez' }, { from: NEIGHBOUR })).status).toBe(200);
  });
});

test.each([
  [256, 208, 52],
  [1_024, 973, 243],
  [20_000, 19_000, 1_000],
  [undefined, undefined, 1_000],
  [10, 8, 2],
])('a limit of %s open files allows %s connections, %s of one network', (files, total, perNetwork) => {
  expect([processCap(files), connectionCap('auto', files)]).toEqual([total, perNetwork]);
  expect(connectionCap(7, files)).toBe(7);
  expect(connectionCap(0, files)).toBe(Number.POSITIVE_INFINITY);
});

test('an unread response counts as in flight until its connection is closed; a slow reader is not disconnected', async () => {
  const node = await startNode({ ACCOUNT_IN_FLIGHT: '4' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (let n = 0; n < 20; n += 1) await say(bob, '😀'.repeat(4_000));
  const page = requestBytes({ path: '/v1/broadcasts?limit=1000', token: alice.token });
  // More than the buffers of a loopback connection hold.
  const unread = await dial(node);
  unread.pause();
  unread.write(page.repeat(60));
  await sleep(3_000);
  const waits = request(node, { path: '/v1/broadcasts', token: alice.token });
  expect((await waits).status, 'its place is taken').toBe(429);
  const slow = await dial(node);
  slow.pause();
  slow.write(requestBytes({ path: '/v1/broadcasts?limit=1000', token: bob.token }).repeat(40));
  const slowReading = setInterval(() => slow.read(64 * 1_024), 200);
  onTestFinished(() => clearInterval(slowReading));
  let isCut = false;
  unread.on('close', () => {
    isCut = true;
  });
  let isSlowCut = false;
  slow.on('close', () => {
    isSlowCut = true;
  });
  const start = performance.now();
  await until(
    'it may again',
    async () => {
      const { status } = await request(node, { path: '/v1/broadcasts', token: alice.token });
      return status === 200;
    },
    45_000,
  );
  expect(performance.now() - start).toBeGreaterThan(15_000);
  unread.resume();
  await until('the connection has ended', () => isCut);
  expect(isSlowCut).toBe(false);
});

test('work stops when its client disconnects: its registration is not carried out', async () => {
  const node = await startNode({ BCRYPT_COST: '10' });
  const names = Array.from({ length: 8 }, (_, n) => `gone-${n}`);
  const sockets = await Promise.all(names.map(() => dial(node)));
  for (const [n, socket] of sockets.entries()) {
    const body = { username: names[n]!, password: 'correct horse battery' };
    socket.write(requestBytes({ method: 'POST', path: '/v1/register', body }));
  }
  await sleep(30);
  for (const socket of sockets) socket.destroy();
  const { token } = await person(node, 'alice');
  await sleep(1_500);
  const profiles = await Promise.all(
    names.map((name) => request(node, { path: `/v1/users/${name}`, token })),
  );
  expect(profiles.filter(({ status }) => status === 200).length).toBeLessThan(5);
});
