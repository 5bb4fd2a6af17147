/** Servers that reply but do not accept writes: planned failovers behind one address, and settings. */
import { expect, test } from 'vitest';
import { listen, person, startNode, tell, until } from '../../kit/app.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { inSync, movableAddress, redisServer, swapRoles, urlOf } from '../../kit/servers.ts';

test('after a planned failover behind one address, all connections move within 10 s, and streams go on', async () => {
  const first = await redisServer({ 'repl-diskless-sync-delay': 0 });
  const second = await redisServer({ 'repl-diskless-sync-delay': 0, replicaof: `127.0.0.1 ${first.port}` });
  await inSync(first, second);
  const { proxy, lead } = await movableAddress(first);
  const node = await startNode({}, { redisUrl: proxy.url, prefix: 'parley:' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await tell(alice, 'bob', 'before');
  await inSync(first, second);
  await swapRoles(first, second);
  expectProblem(await send(node, 'GET', '/readyz'), 'unavailable');
  lead(second);
  const startedAt = performance.now();
  await until('a send is accepted', async () => (await tell(alice, 'bob', 'after')).status === 201, 10_000);
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  await until('it is ready', async () => (await send(node, 'GET', '/readyz')).status === 200, 10_000);
  const names = async () => String(await second.call('CLIENT', 'LIST'));
  for (const name of ['commands', 'bulk', 'subscriber'])
    await until(`${name} has moved`, async () => (await names()).includes(`name=parley:${name} `), 10_000);
  expect(String(await first.call('CLIENT', 'LIST'))).not.toContain('name=parley:');
  await until('the stream has both', () => stream.events.filter(({ kind }) => kind === 'dm').length === 2);
});

test('a node is ready again as soon as enough replicas are connected', async () => {
  const server = await redisServer();
  const node = await startNode({}, { redisUrl: urlOf(server), prefix: 'parley:' });
  await server.call('CONFIG', 'SET', 'min-replicas-to-write', 1);
  expectProblem(await send(node, 'GET', '/readyz'), 'unavailable');
  await server.call('CONFIG', 'SET', 'min-replicas-to-write', 0);
  await until('it is ready', async () => (await send(node, 'GET', '/readyz')).status === 200, 5_000);
});

test('a node whose server has no free memory is ready, because no other node could do better', async () => {
  const server = await redisServer();
  const node = await startNode({}, { redisUrl: urlOf(server), prefix: 'parley:' });
  await server.call('CONFIG', 'SET', 'maxmemory', 1_000);
  expect((await send(node, 'GET', '/readyz')).status).toBe(200);
});

test('a node whose user loses a permission answers 503, reports it and goes on', async () => {
  const server = await redisServer({ user: 'app on >hunter2 ~parley:* &parley:* +@all -@dangerous' });
  const url = `redis://app:hunter2@${server.address}`;
  const node = await startNode({}, { redisUrl: url, prefix: 'parley:' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await server.call('ACL', 'SETUSER', 'app', '-@write');
  expectProblem(await send(node, 'GET', '/readyz'), 'unavailable');
  expectProblem(await tell(alice, 'bob', 'refused'), 'unavailable');
  await server.call('ACL', 'SETUSER', 'app', '+@write');
  await until('a send is accepted', async () => (await tell(alice, 'bob', 'accepted')).status === 201);
  expect((await stream.next('dm')).data).toMatchObject({ text: 'accepted' });
});
