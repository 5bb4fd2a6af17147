import { expect, test } from 'vitest';
import { listen, login, person, sharedNode, startNode, tell, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { expectProblem, send } from '../support/http.ts';
import { recorder } from '../support/log.ts';
import { testStore } from '../support/store.ts';
import { openStream, type StreamClient } from '../support/stream.ts';

const theNode = sharedNode();

async function ticketOf(who: { node: { url: string }; token: string }): Promise<string> {
  const { status, body, headers } = await call(who.node, 'createTicket', { token: who.token });
  expect([status, body.expiresIn, headers['cache-control']]).toEqual([201, 30, 'no-store']);
  return body.ticket;
}

/** Opens with a ticket and no header. */
function enter(
  node: { url: string },
  ticket: string,
  query: Record<string, string> = {},
): Promise<StreamClient> {
  return openStream(node.url, undefined, { query: { ticket, ...query } });
}

const refused = (node: { url: string }, ticket: string) => send(node, 'GET', `/v1/events?ticket=${ticket}`);

test('a ticket opens a stream of the session that asked for it', async () => {
  const node = theNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await enter(node, await ticketOf(bob), { presence: 'off' });
  expect((await stream.next('ready')).data.username).toBe('bob');
  await tell(alice, 'bob', 'Lunch?');
  expect((await stream.next('dm')).data.text).toBe('Lunch?');
  await call(node, 'logout', { token: bob.token });
  expect((await stream.next('goodbye')).data.code).toBe('revoked');
});

test('a ticket serves once, also when many come with it at the same time', async () => {
  const node = theNode();
  const ticket = await ticketOf(await person(node, 'carol'));
  const streams = await Promise.all(Array.from({ length: 8 }, () => enter(node, ticket)));
  for (const stream of streams) if (stream.status !== 200) expect(stream.status).toBe(401);
  expect(streams.filter(({ status }) => status === 200)).toHaveLength(1);
  for (const stream of streams) stream.close();
  expectProblem(await refused(node, ticket), 'bad_ticket');
});

test('a ticket that waited too long is useless', async () => {
  const node = await startNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const { commands } = await testStore(node.prefix);
  const [key = ''] = await commands.keys(`${node.prefix}ticket:*`);
  const ttlMs = await commands.pttl(key);
  expect(ttlMs).toBeGreaterThan(20_000);
  expect(ttlMs).toBeLessThanOrEqual(30_000);
  await commands.pexpire(key, 1);
  await until('it is gone', async () => (await commands.exists(key)) === 0);
  expectProblem(await refused(node, ticket), 'bad_ticket');
});

test('a ticket that was used, or is too old, leaves nothing behind; one that waits is kept by its hash only', async () => {
  const node = await startNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const { commands } = await testStore(node.prefix);
  const [key = ''] = await commands.keys(`${node.prefix}ticket:*`);
  expect(key + JSON.stringify(await commands.hgetall(key))).not.toContain(ticket);
  (await enter(node, ticket)).close();
  expect(await commands.keys(`${node.prefix}ticket:*`)).toEqual([]);
});

test('a ticket of a session that has ended opens nothing, on any node', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const alice = await person(node, 'alice');
  const [here, there] = [await ticketOf(alice), await ticketOf(alice)];
  const probe = { token: alice.token };
  await call(node, 'logout', probe);
  expectProblem(await refused(node, here), 'session_ended');
  await until('the other node knows', async () => (await send(other, 'GET', '/v1/me', probe)).status === 401);
  expectProblem(await refused(other, there), 'session_ended');
});

test('a ticket of one node opens a stream on another', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const stream = await enter(other, await ticketOf(await person(node, 'alice')));
  expect((await stream.next('ready')).data.username).toBe('alice');
  stream.close();
});

test('a stream by ticket ends when the access token does that asked for the ticket', async () => {
  const node = await startNode({ ACCESS_TTL_SECONDS: '2' });
  const alice = await person(node, 'alice');
  const [ticket, late] = [await ticketOf(alice), await ticketOf(alice)];
  const stream = await enter(node, ticket);
  expect((await stream.next('goodbye')).data.code).toBe('expired');
  expectProblem(await refused(node, late), 'token_expired');
});

test('who comes back brings a new ticket and the last id in the query, and misses nothing', async () => {
  const node = theNode();
  const [alice, bob] = [await person(node, 'alice'), await login(node, 'bob')];
  const first = await enter(node, await ticketOf(bob));
  await first.next('ready');
  await tell(alice, 'bob', 'before');
  while ((await first.next('dm')).data.text !== 'before');
  first.close();
  await tell(alice, 'bob', 'meanwhile');
  const again = await enter(node, await ticketOf(bob), { after: first.lastEventId! });
  expect((await again.next('ready')).data).toMatchObject({ resumed: true, gap: false });
  expect((await again.next('dm')).data.text).toBe('meanwhile');
  again.close();
});

test.each(['', 'garbage', '%00', 'a'.repeat(500), '{}', '*', '%F0%9F%8E%AB'])(
  'what is no ticket opens nothing: %j',
  async (garbage) => {
    const code = garbage === '' ? 'unauthenticated' : 'bad_ticket';
    expectProblem(await refused(theNode(), garbage), code);
  },
);

test('two tickets at once are none', async () => {
  const alice = await person(theNode(), 'alice');
  const [one, two] = [await ticketOf(alice), await ticketOf(alice)];
  expectProblem(await refused(theNode(), `${one}&ticket=${two}`), 'bad_ticket');
});

test('a ticket is for the stream only, is no token, and no token is a ticket', async () => {
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
  expectProblem(await refused(node, alice.token), 'bad_ticket');
});

test('an access token beside a ticket wins, good or bad, and leaves the ticket unused', async () => {
  const node = theNode();
  const ticket = await ticketOf(await person(node, 'alice'));
  const bad = await send(node, 'GET', `/v1/events?ticket=${ticket}`, { token: 'garbage' });
  expectProblem(bad, 'unauthenticated');
  const stream = await enter(node, ticket);
  expect((await stream.next('ready')).data.username).toBe('alice');
  stream.close();
});

test('a ticket never stands in a line of the log, whatever becomes of it', async () => {
  const { log, text, lines } = recorder();
  const node = await startNode({}, { log });
  const alice = await person(node, 'alice');
  const ticket = await ticketOf(alice);
  (await enter(node, ticket)).close();
  await refused(node, ticket);
  await send(node, 'DELETE', `/v1/events?ticket=${ticket}`);
  await send(node, 'GET', `/v1/nowhere?ticket=${ticket}`);
  await listen(alice);
  await until(
    'the requests are logged',
    () => lines().filter(({ path }) => path === '/v1/events').length >= 3,
  );
  expect(text()).not.toContain(ticket);
});
