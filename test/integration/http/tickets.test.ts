import { expect, test } from 'vitest';
import { listen, login, person, sharedNode, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { testStore } from '../../kit/store.ts';
import { openStream, type StreamClient } from '../../kit/stream.ts';

const theNode = sharedNode();

async function ticketOf(who: { node: { url: string }; token: string }): Promise<string> {
  const { status, body, headers } = await call(who.node, 'createTicket', { token: who.token });
  expect([status, body.expiresIn, headers['cache-control']]).toEqual([201, 30, 'no-store']);
  return body.ticket;
}

/** Opens a stream with a ticket and without an Authorization header. */
function openWithTicket(
  node: { url: string },
  ticket: string,
  query: Record<string, string> = {},
): Promise<StreamClient> {
  return openStream(node.url, undefined, { query: { ticket, ...query } });
}

const tryTicket = (node: { url: string }, ticket: string) => send(node, 'GET', `/v1/events?ticket=${ticket}`);

test('a ticket opens a stream of the session that requested it', async () => {
  const node = theNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await openWithTicket(node, await ticketOf(bob), { presence: 'off' });
  expect((await stream.next('ready')).data.username).toBe('bob');
  await tell(alice, 'bob', 'Lunch?');
  expect((await stream.next('dm')).data.text).toBe('Lunch?');
  await call(node, 'logout', { token: bob.token });
  expect((await stream.next('goodbye')).data.code).toBe('revoked');
});

test('a ticket opens one stream, even if it is used concurrently', async () => {
  const node = theNode();
  const ticket = await ticketOf(await person(node, 'carol'));
  const streams = await Promise.all(Array.from({ length: 8 }, () => openWithTicket(node, ticket)));
  for (const stream of streams) if (stream.status !== 200) expect(stream.status).toBe(401);
  expect(streams.filter(({ status }) => status === 200)).toHaveLength(1);
  for (const stream of streams) stream.close();
  expectProblem(await tryTicket(node, ticket), 'bad_ticket');
});

test('a ticket expires after 30 seconds', async () => {
  const node = await startNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const { commands } = await testStore(node.prefix);
  const [key = ''] = await commands.keys(`${node.prefix}ticket:*`);
  const ttlMs = await commands.pttl(key);
  expect(ttlMs).toBeGreaterThan(20_000);
  expect(ttlMs).toBeLessThanOrEqual(30_000);
  await commands.pexpire(key, 1);
  await until('the ticket has expired', async () => (await commands.exists(key)) === 0);
  expectProblem(await tryTicket(node, ticket), 'bad_ticket');
});

test('an unused ticket is stored only as a hash, and a used one is deleted', async () => {
  const node = await startNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const { commands } = await testStore(node.prefix);
  const [key = ''] = await commands.keys(`${node.prefix}ticket:*`);
  expect(key + JSON.stringify(await commands.hgetall(key))).not.toContain(ticket);
  (await openWithTicket(node, ticket)).close();
  expect(await commands.keys(`${node.prefix}ticket:*`)).toEqual([]);
});

test('a ticket of a session that has ended is rejected on any node', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const alice = await person(node, 'alice');
  const [here, there] = [await ticketOf(alice), await ticketOf(alice)];
  const probe = { token: alice.token };
  await call(node, 'logout', probe);
  expectProblem(await tryTicket(node, here), 'session_ended');
  await until('the other node knows', async () => (await send(other, 'GET', '/v1/me', probe)).status === 401);
  expectProblem(await tryTicket(other, there), 'session_ended');
});

test('a ticket of one node opens a stream on another', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const stream = await openWithTicket(other, await ticketOf(await person(node, 'alice')));
  expect((await stream.next('ready')).data.username).toBe('alice');
  stream.close();
});

test('a stream opened with a ticket ends when the access token that requested the ticket expires', async () => {
  const node = await startNode({ ACCESS_TTL_SECONDS: '2' });
  const alice = await person(node, 'alice');
  const [ticket, late] = [await ticketOf(alice), await ticketOf(alice)];
  const stream = await openWithTicket(node, ticket);
  expect((await stream.next('goodbye')).data.code).toBe('expired');
  expectProblem(await tryTicket(node, late), 'token_expired');
});

test('a client that reconnects with a new ticket and its last event id misses nothing', async () => {
  const node = theNode();
  const [alice, bob] = [await person(node, 'alice'), await login(node, 'bob')];
  const first = await openWithTicket(node, await ticketOf(bob));
  await first.next('ready');
  await tell(alice, 'bob', 'before');
  while ((await first.next('dm')).data.text !== 'before');
  first.close();
  await tell(alice, 'bob', 'meanwhile');
  const again = await openWithTicket(node, await ticketOf(bob), { after: first.lastEventId! });
  expect((await again.next('ready')).data).toMatchObject({ resumed: true, gap: false });
  expect((await again.next('dm')).data.text).toBe('meanwhile');
  again.close();
});

test.each(['', 'garbage', '%00', 'a'.repeat(500), '{}', '*', '%F0%9F%8E%AB'])(
  'rejects %j as a ticket',
  async (garbage) => {
    const code = garbage === '' ? 'unauthenticated' : 'bad_ticket';
    expectProblem(await tryTicket(theNode(), garbage), code);
  },
);

test('rejects a request with two tickets', async () => {
  const alice = await person(theNode(), 'alice');
  const [one, two] = [await ticketOf(alice), await ticketOf(alice)];
  expectProblem(await tryTicket(theNode(), `${one}&ticket=${two}`), 'bad_ticket');
});

test('a ticket only opens streams, is not a token, and a token is not a ticket', async () => {
  const node = theNode();
  const alice = await person(node, 'alice');
  const ticket = await ticketOf(alice);
  for (const [method, path] of [
    ['GET', '/v1/me'],
    ['POST', '/v1/events/ticket'],
    ['POST', '/v1/logout'],
  ] as const)
    expectProblem(await send(node, method, `${path}?ticket=${ticket}`), 'unauthenticated');
  expectProblem(await send(node, 'GET', '/v1/events', { token: ticket }), 'unauthenticated');
  expectProblem(await tryTicket(node, alice.token), 'bad_ticket');
});

test('an access token takes precedence over a ticket, even if invalid, and leaves the ticket unused', async () => {
  const node = theNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const bad = await send(node, 'GET', `/v1/events?ticket=${ticket}`, { token: 'garbage' });
  expectProblem(bad, 'unauthenticated');
  const stream = await openWithTicket(node, ticket);
  expect((await stream.next('ready')).data.username).toBe('alice');
  stream.close();
});

test('a ticket never appears in the log', async () => {
  const { log, text, lines } = recorder();
  const node = await startNode({}, { log });
  const alice = await person(node, 'alice');
  const ticket = await ticketOf(alice);
  (await openWithTicket(node, ticket)).close();
  await tryTicket(node, ticket);
  await send(node, 'DELETE', `/v1/events?ticket=${ticket}`);
  await send(node, 'GET', `/v1/nowhere?ticket=${ticket}`);
  await listen(alice);
  await until(
    'the requests are logged',
    () => lines().filter(({ path }) => path === '/v1/events').length >= 3,
  );
  expect(text()).not.toContain(ticket);
});
