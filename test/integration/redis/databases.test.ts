/** The databases of one server, and prefixes in one database, are as separate as two servers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { listen, person, say, startNode, tell, until } from '../../kit/app.ts';
import { send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { redisServer, urlOf } from '../../kit/servers.ts';

// Redis has one space of channels for all databases: a direct message in staging was streamed to the namesake in production.
test.each([
  ['databases', 0, 1, 'parley:', 'parley:'],
  ['prefixes', 0, 0, 'parley:', 'parley:2:'],
])('a stream hears nothing from other %s of its server', async (_, first, second, prefix, otherPrefix) => {
  const server = await redisServer();
  const live = await startNode({}, { redisUrl: urlOf(server, first), prefix });
  const staging = await startNode({}, { redisUrl: urlOf(server, second), prefix: otherPrefix });
  const bob = await person(live, 'bob');
  const stream = await listen(bob);
  const alice = await person(staging, 'alice');
  const namesake = await person(staging, 'bob');
  await listen(alice);
  await listen(namesake);
  await tell(alice, 'bob', 'a secret of staging');
  await say(alice, 'to everybody in staging');
  await sleep(1_000); // what was published would have arrived by now
  await tell(await person(live, 'carol'), 'bob', 'hello');
  expect((await stream.next('dm')).data).toMatchObject({ text: 'hello' });
  expect(stream.events.map(({ kind }) => kind)).not.toContain('broadcast');
  expect(stream.events.map(({ kind }) => kind)).not.toContain('gap');
  expect(JSON.stringify(stream.events)).not.toContain('alice');
});

test('a database that was emptied keeps its realm, and the streams go on', async () => {
  const server = await redisServer();
  const node = await startNode({}, { redisUrl: urlOf(server), prefix: 'parley:' });
  const stream = await listen(await person(node, 'alice'));
  const realm = await server.call('HGET', 'parley:realm', 'id');
  await server.call('FLUSHALL');
  await until(
    'the realm is set again',
    async () => (await server.call('HGET', 'parley:realm', 'id')) === realm,
  );
  await person(node, 'bob');
  await say(await person(node, 'carol'), 'hello');
  expect((await stream.next('broadcast')).data).toMatchObject({ text: 'hello' });
});

test('a node whose database was replaced ends its streams and starts over', async () => {
  const server = await redisServer();
  const { log, text } = recorder();
  const node = await startNode({}, { redisUrl: urlOf(server), prefix: 'parley:', log });
  const other = await startNode({}, { redisUrl: urlOf(server, 1), prefix: 'parley:' });
  await person(other, 'bob');
  const stream = await listen(await person(node, 'alice'));
  await server.call('SWAPDB', 0, 1);
  expect((await stream.next('goodbye')).data).toMatchObject({ code: 'shutdown', reconnect: true });
  expect(text()).toContain('Redis now holds a different database');
  const ready = () =>
    send(node, 'GET', '/readyz').then(
      ({ status }) => status === 200,
      () => false,
    );
  await until('it is ready', ready);
  const bob = await person(node, 'bob'); // the account of the other database
  const again = await listen(bob);
  await say(await person(node, 'carol'), 'here');
  expect((await again.next('broadcast')).data).toMatchObject({ text: 'here' });
});
