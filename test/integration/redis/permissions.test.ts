/** The ACL rule in docs/how-to/managed-redis.md permits everything that Parley does, and nothing more is needed. */
import { readFileSync } from 'node:fs';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { listen, login, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { send } from '../../kit/http.ts';
import { loadRecording, recordingOf } from '../../kit/recording.ts';
import { inSync, redisServer } from '../../kit/servers.ts';
import type { Server } from '../../kit/topology/server.ts';

const page = readFileSync(new URL('../../../docs/how-to/managed-redis.md', import.meta.url), 'utf8');
const rule = /^ACL SETUSER parley (.+)$/m.exec(page)![1]!.replace('PASSWORD', 'hunter2').split(' ');

/** Commands that Redis has denied. ioredis reports its version in any case. */
async function denied(server: Server): Promise<string[]> {
  const entries = (await server.call('ACL', 'LOG')) as unknown[];
  const objects = entries.map((each) => JSON.stringify(each)).filter((each) => !/setinfo/i.test(each));
  return objects;
}

test('a node can do everything with the documented rule', async () => {
  const server = await redisServer({ appendonly: 'yes' });
  const replica = await redisServer({ replicaof: `127.0.0.1 ${server.port}` });
  await inSync(server, replica);
  await server.call('ACL', 'SETUSER', 'parley', ...rule);
  const redisUrl = `redis://parley:hunter2@${server.address}/1`;
  const node = await startNode(
    { WAIT_REPLICAS: '1', SEND_LIMIT: '1000/10', LOGIN_LIMIT: '10/300' },
    { redisUrl, prefix: 'parley:' },
  );
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  expect((await tell(alice, 'bob', 'hello')).status).toBe(201);
  expect((await say(alice, 'hello all')).status).toBe(201);
  const { data } = await stream.next('dm');
  const as = { token: bob.token };
  const operations = [
    call(node, 'ackMailbox', { ...as, body: { upTo: data.id } }),
    call(node, 'listDirect', { ...as, path: { username: 'alice' } }),
    call(node, 'listBroadcasts', as),
    call(node, 'listConversations', as),
    call(node, 'listOnline', as),
    call(node, 'createTicket', as),
    call(node, 'refresh', { body: { refreshToken: alice.refreshToken } }),
  ];
  for (const { status, text } of await Promise.all(operations)) expect(status, text).toBeLessThan(300);
  expect((await call(node, 'logout', as)).status).toBeLessThan(300);
  await stream.next('goodbye');
  await until('it is ready', async () => (await send(node, 'GET', '/readyz')).status === 200);
  await new Promise((resolve) => setTimeout(resolve, 3_500)); // a heartbeat
  expect(await denied(server)).toEqual([]);
  await server.call('ACL', 'SETUSER', 'parley', '-hset');
  await tell(alice, 'bob', 'denied');
  expect(await denied(server)).not.toEqual([]); // the check finds what is missing
});

test('the documented rule is enough to convert the data of an earlier release', async () => {
  const server = await redisServer();
  const admin = new Redis(`redis://${server.address}`);
  await loadRecording({ commands: admin }, 'parley:', recordingOf('7c93565'));
  admin.disconnect();
  await server.call('ACL', 'SETUSER', 'parley', ...rule);
  const node = await startNode(
    {},
    { redisUrl: `redis://parley:hunter2@${server.address}`, prefix: 'parley:' },
  );
  const alice = await login(node, 'alice');
  expect((await call(node, 'listConversations', { token: alice.token })).body.conversations).toHaveLength(2);
  expect(await denied(server)).toEqual([]);
});

test('the documented rule permits nothing outside of the prefix, and no administration', async () => {
  const server = await redisServer();
  await server.call('ACL', 'SETUSER', 'parley', ...rule);
  const dryRun = (...command: string[]) => server.call('ACL', 'DRYRUN', 'parley', ...(command as [string]));
  for (const command of [
    ['HGET', 'other:account', 'x'],
    ['CONFIG', 'GET', 'dir'],
    ['FLUSHALL'],
    ['KEYS', '*'],
    ['CLIENT', 'LIST'],
  ])
    expect(String(await dryRun(...command)), command.join(' ')).toMatch(/no permissions/i);
  expect(await dryRun('HGET', 'parley:account:{alice}', 'x')).toBe('OK');
});
