import { expect, test } from 'vitest';
import { createParley } from '../../src/client/index.ts';
import { loadContract } from '../../src/http/openapi.ts';
import { sharedNode, startNode } from '../support/app.ts';
import { client, createWire, problem, testClock } from '../support/wire.ts';

const theNode = sharedNode();
const noNetwork = () => Promise.reject(new TypeError('no network'));

test('every operation of the contract has a function of its name; the stream and the refresh are behind others', () => {
  const operations = loadContract().routes.map(({ operationId }) => operationId);
  const others = ['openStream', 'refresh'];
  const parley = createParley();
  expect(operations.filter((name) => !others.includes(name) && !(name in parley))).toEqual([]);
  expect(parley).toHaveProperty('events');
});

test('all that can be asked for is answered with the contract’s data', async () => {
  const node = await startNode();
  const [alice, bob] = [await client(node, 'alice'), await client(node, '张三')];
  const sent = await alice.sendDirect('张三', '你好\n😀');
  expect(sent.data).toMatchObject({ kind: 'dm', from: 'alice', to: '张三', seq: 1 });
  await alice.sendBroadcast('to all');
  expect((await alice.updateMe({ displayName: 'Alice L.' })).data?.displayName).toBe('Alice L.');
  expect((await bob.getUser('alice')).data).toMatchObject({ displayName: 'Alice L.', online: false });
  expect((await bob.getMailbox({ limit: 5 })).data?.messages).toEqual([sent.data]);
  expect((await bob.listDirect('alice', { after: 0 })).data?.messages).toEqual([sent.data]);
  expect((await bob.listConversations()).data?.conversations).toMatchObject([{ with: 'alice', unread: 1 }]);
  expect((await bob.ackMailbox(sent.data!.id)).data).toEqual({ unread: 0 });
  expect((await bob.listBroadcasts({ limit: 1 })).data?.messages).toMatchObject([{ text: 'to all' }]);
  expect((await bob.listOnline({ limit: 1 })).data).toMatchObject({ total: 0, users: [] });
  expect((await bob.createTicket()).data).toMatchObject({ expiresIn: 30 });
  expect((await bob.liveness()).data?.status).toBe('ok');
  expect((await bob.readiness()).data?.redis).toBe('ok');
  expect(await bob.logout()).toEqual({ data: undefined });
});

test('problems are values: with a code, and what belongs to it', async () => {
  const node = await startNode({ SEND_LIMIT: '1/60' });
  const alice = await client(node, 'alice');
  const invalid = await alice.sendBroadcast('');
  expect(invalid.problem).toMatchObject({ code: 'validation_failed', status: 400 });
  if (invalid.problem?.code === 'validation_failed') expect(invalid.problem.errors[0]?.pointer).toBe('/text');
  expect((await alice.sendDirect('nobody', 'Hi')).problem?.code).toBe('unknown_user');
  expect((await alice.register({ username: 'alice', password: 'correct horse battery' })).problem?.code).toBe(
    'username_taken',
  );
  await alice.sendBroadcast('one');
  const { problem } = await alice.sendBroadcast('two');
  expect(problem?.code).toBe('too_many_requests');
  if (problem?.code === 'too_many_requests') expect(problem.retryAfterSeconds).toBeGreaterThan(50);
});

test('who sends too fast is told to wait, and is not helped to go on: a 429 is not repeated', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', { ...wire, clock: testClock() });
  wire.instead('POST /v1/broadcasts', () => problem(429, 'too_many_requests', { 'Retry-After': '1' }));
  const told = (await alice.sendBroadcast('too fast')).problem;
  expect(told).toMatchObject({ code: 'too_many_requests', retryAfterSeconds: 1 });
  expect(wire.count('POST /v1/broadcasts')).toBe(1);
});

test('a send whose answer was lost is repeated under its key, and is stored once', async () => {
  const node = await startNode();
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(node, 'alice', { ...wire, clock });
  await client(node, 'bob');
  for (const path of ['/v1/broadcasts', '/v1/dm/bob']) {
    wire.instead(`POST ${path}`, async (request, forward) => {
      await forward(request);
      return noNetwork();
    });
  }
  const [broadcast, direct] = [await alice.sendBroadcast('once'), await alice.sendDirect('bob', 'once')];
  expect((await alice.listBroadcasts()).data?.messages).toEqual([broadcast.data]);
  expect((await alice.listDirect('bob')).data?.messages).toEqual([direct.data]);
  expect(clock.slept).toEqual([500, 500]);
});

test('two sends of the same text are two messages; with a key of one’s own they are one', async () => {
  const alice = await client(await startNode(), 'alice');
  const first = await alice.sendBroadcast('again');
  expect((await alice.sendBroadcast('again')).data?.id).not.toBe(first.data?.id);
  const idempotencyKey = 'draft 7';
  const third = await alice.sendBroadcast('again', { idempotencyKey });
  expect((await alice.sendBroadcast('again', { idempotencyKey })).data?.id).toBe(third.data?.id);
});

test('a server that is busy or away is asked again after as long as it said', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  wire.instead('GET /v1/me', () => problem(503, 'unavailable', { 'Retry-After': '3' }));
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect(clock.slept).toEqual([3_000]);
  wire.instead('GET /v1/me', () => problem(503, 'unavailable', { 'Retry-After': '60' }));
  const { problem: told } = await alice.getMe();
  expect(told).toMatchObject({ code: 'unavailable', retryAfterSeconds: 60 });
  expect(clock.slept, 'whoever has to wait a minute is told').toEqual([3_000]);
});

test('who gets no answer three times is told that the server is unreachable', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  wire.instead('GET /v1/me', noNetwork, 3);
  const { problem } = await alice.getMe();
  expect(problem).toMatchObject({ code: 'unreachable', detail: expect.stringContaining('no network') });
  expect([wire.count('GET /v1/me'), clock.slept.length]).toEqual([3, 2]);
  const nowhere = createParley({ baseUrl: 'http://127.0.0.1:1', clock });
  expect((await nowhere.liveness()).problem?.code).toBe('unreachable');
});

test.each([
  ['register', 'POST /v1/register'],
  ['login', 'POST /v1/login'],
] as const)('%s is not repeated: it would not be harmless', async (name, request) => {
  const wire = createWire();
  const alice = createParley({ baseUrl: theNode().url, ...wire, clock: testClock() });
  wire.instead(request, noNetwork, 9);
  const { problem } = await alice[name]({ username: 'zoe', password: 'correct horse battery' });
  expect(problem?.code).toBe('unreachable');
  expect(wire.count(request)).toBe(1);
});

test('a page of a proxy is told from an answer of Parley', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', wire);
  const page = (status: number) => () =>
    new Response('<html>', { status, headers: { 'Content-Type': 'text/html' } });
  wire.instead('GET /v1/me', page(502));
  expect((await alice.getMe()).problem).toMatchObject({ code: 'unreadable', status: 502 });
  wire.instead('GET /v1/me', page(200));
  expect((await alice.getMe()).problem?.code).toBe('unreadable');
});

test('a call that its caller stops throws the caller’s reason, also while it waits to repeat', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', wire);
  const controller = new AbortController();
  wire.instead(
    'GET /v1/me',
    (request) =>
      new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      ),
  );
  const stopped = alice.getMe({ signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(stopped).rejects.toThrow('enough');
  const waiting = new AbortController();
  wire.instead('GET /v1/me', () => {
    setTimeout(() => waiting.abort(new Error('no more')));
    return problem(503, 'busy', { 'Retry-After': '5' });
  });
  await expect(alice.getMe({ signal: waiting.signal })).rejects.toThrow('no more');
});
