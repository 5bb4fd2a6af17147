import { expect, test } from 'vitest';
import { createParley } from '../../../clients/sdk/src/index.ts';
import { loadContract } from '../../../src/http/openapi.ts';
import { sharedNode, startNode } from '../../kit/app.ts';
import { client, createWire, problem, testClock } from '../../kit/wire.ts';

const theNode = sharedNode();
const noNetwork = () => Promise.reject(new TypeError('no network'));

test('has a method for every operation, except those that it covers itself or does not need', () => {
  const operations = loadContract().routes.map(({ operationId }) => operationId);
  const others = ['openStream', 'refresh', 'getLinks'];
  const parley = createParley();
  expect(operations.filter((name) => !others.includes(name) && !(name in parley))).toEqual([]);
  expect(parley).toHaveProperty('events');
});

test('every method returns the data that the contract describes', async () => {
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

test('returns problems as values, with a code and its extra fields', async () => {
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

test('returns a 429 with retryAfterSeconds and does not retry it', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', { ...wire, clock: testClock() });
  wire.intercept('POST /v1/broadcasts', () => problem(429, 'too_many_requests', { 'Retry-After': '1' }));
  const { problem: tooFast } = await alice.sendBroadcast('too fast');
  expect(tooFast).toMatchObject({ code: 'too_many_requests', retryAfterSeconds: 1 });
  expect(wire.count('POST /v1/broadcasts')).toBe(1);
});

test('retries a send whose response was lost with the same key, so it is stored once', async () => {
  const node = await startNode();
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(node, 'alice', { ...wire, clock });
  await client(node, 'bob');
  for (const path of ['/v1/broadcasts', '/v1/dm/bob']) {
    wire.intercept(`POST ${path}`, async (request, forward) => {
      await forward(request);
      return noNetwork();
    });
  }
  const [broadcast, direct] = [await alice.sendBroadcast('once'), await alice.sendDirect('bob', 'once')];
  expect((await alice.listBroadcasts()).data?.messages).toEqual([broadcast.data]);
  expect((await alice.listDirect('bob')).data?.messages).toEqual([direct.data]);
  expect(clock.slept).toEqual([500, 500]);
});

test('stores the same text twice, unless both sends use the same idempotency key', async () => {
  const alice = await client(await startNode(), 'alice');
  const first = await alice.sendBroadcast('again');
  expect((await alice.sendBroadcast('again')).data?.id).not.toBe(first.data?.id);
  const idempotencyKey = 'draft 7';
  const third = await alice.sendBroadcast('again', { idempotencyKey });
  expect((await alice.sendBroadcast('again', { idempotencyKey })).data?.id).toBe(third.data?.id);
});

test('retries after the Retry-After time when the server is unavailable, and returns the problem if that is too long', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  wire.intercept('GET /v1/me', () => problem(503, 'unavailable', { 'Retry-After': '3' }));
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect(clock.slept).toEqual([3_000]);
  wire.intercept('GET /v1/me', () => problem(503, 'unavailable', { 'Retry-After': '60' }));
  const { problem: tooLong } = await alice.getMe();
  expect(tooLong).toMatchObject({ code: 'unavailable', retryAfterSeconds: 60 });
  expect(clock.slept, 'a wait of a minute is left to the caller').toEqual([3_000]);
});

test('returns unreachable after three attempts without a response', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  wire.intercept('GET /v1/me', noNetwork, 3);
  const { problem } = await alice.getMe();
  expect(problem).toMatchObject({ code: 'unreachable', detail: expect.stringContaining('no network') });
  expect([wire.count('GET /v1/me'), clock.slept.length]).toEqual([3, 2]);
  const nowhere = createParley({ baseUrl: 'http://127.0.0.1:1', clock });
  expect((await nowhere.liveness()).problem?.code).toBe('unreachable');
});

test.each([
  ['register', 'POST /v1/register'],
  ['login', 'POST /v1/login'],
] as const)('does not retry %s, because it is not idempotent', async (name, request) => {
  const wire = createWire();
  const alice = createParley({ baseUrl: theNode().url, ...wire, clock: testClock() });
  wire.intercept(request, noNetwork, 9);
  const { problem } = await alice[name]({ username: 'zoe', password: 'correct horse battery' });
  expect(problem?.code).toBe('unreachable');
  expect(wire.count(request)).toBe(1);
});

test('reports a proxy’s page as unreadable', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', wire);
  const page = (status: number) => () =>
    new Response('<html>', { status, headers: { 'Content-Type': 'text/html' } });
  wire.intercept('GET /v1/me', page(502));
  expect((await alice.getMe()).problem).toMatchObject({ code: 'unreadable', status: 502 });
  wire.intercept('GET /v1/me', page(200));
  expect((await alice.getMe()).problem?.code).toBe('unreadable');
});

test('throws the abort reason when the caller aborts, also while waiting to retry', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', wire);
  const controller = new AbortController();
  wire.intercept(
    'GET /v1/me',
    (request) =>
      new Promise((_, reject) =>
        request.signal.addEventListener('abort', () => reject(request.signal.reason)),
      ),
  );
  const aborted = alice.getMe({ signal: controller.signal });
  controller.abort(new Error('enough'));
  await expect(aborted).rejects.toThrow('enough');
  const waiting = new AbortController();
  wire.intercept('GET /v1/me', () => {
    setTimeout(() => waiting.abort(new Error('no more')));
    return problem(503, 'busy', { 'Retry-After': '5' });
  });
  await expect(alice.getMe({ signal: waiting.signal })).rejects.toThrow('no more');
});
