/** When the memory of Redis is used up, sends are rejected, everything else works, and there are no internal errors. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { expect, onTestFinished, test } from 'vitest';
import { startPrivateRedis } from '../../../src/store/private-redis/server.ts';
import { listen, login, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';

const CREDENTIALS = { username: 'carol', password: 'correct horse battery' };

/** Starts a Redis for this test only, so that its memory can be limited. */
async function ownRedis() {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  const redis = await startPrivateRedis({ dataDir, path: process.env['PATH'] ?? '', log: () => {} });
  const admin = new Redis(redis.url);
  onTestFinished(async () => {
    admin.disconnect();
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });
  return { redisUrl: redis.url, admin };
}

async function full(settings: Record<string, string> = {}) {
  const { redisUrl, admin } = await ownRedis();
  const node = await startNode(settings, { redisUrl });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const { id } = (await tell(alice, 'bob', 'before')).body;
  await stream.next('dm');
  return { node, admin, alice, bob, id, stream };
}

const usedMemory = async (admin: Redis) => Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1]);

test('above the high-water mark only sends and registrations are rejected', async () => {
  const { node, admin, alice, bob, id } = await full({ HIGH_WATER_PERCENT: '50' });
  await admin.config('SET', 'maxmemory', Math.floor((await usedMemory(admin)) * 1.5));
  let refused = await say(alice, 'after');
  for (let n = 0; refused.status === 201 && n < 60; n += 1) {
    await new Promise((resolve) => setTimeout(resolve, 100));
    refused = await say(alice, `after ${n}`);
  }
  expectProblem(refused, 'storage_full');
  expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
  expectProblem(await tell(alice, 'bob', 'after'), 'storage_full');
  expectProblem(await call(node, 'register', { body: CREDENTIALS }), 'storage_full');

  const again = await login(node, 'bob');
  expect((await call(node, 'refresh', { body: { refreshToken: again.refreshToken } })).status).toBe(200);
  expect((await call(node, 'getMailbox', { token: bob.token })).body.unread).toBe(1);
  expect((await call(node, 'ackMailbox', { token: bob.token, body: { upTo: id } })).body.unread).toBe(0);
  expect((await call(node, 'createTicket', { token: bob.token })).status).toBe(201);
  expect((await call(node, 'readiness')).status).toBe(200);
  await listen(again);
  expect((await call(node, 'logout', { token: again.token })).status).toBe(204);

  await admin.config('SET', 'maxmemory', 0);
  await until('a send is accepted', async () => (await say(alice, 'accepted again')).status === 201, 8_000);
});

test('when Redis itself is full there are no internal errors, and reads work', async () => {
  const { node, admin, alice, bob } = await full({ HIGH_WATER_PERCENT: '100' });
  const { token } = await login(node, 'alice');
  await admin.config('SET', 'maxmemory', 1_048_576);
  expectProblem(await say(alice, 'after'), 'storage_full');
  expectProblem(await tell(alice, 'bob', 'after'), 'storage_full');
  expectProblem(await call(node, 'register', { body: CREDENTIALS }), 'storage_full');
  expectProblem(await call(node, 'createTicket', { token: bob.token }), 'unavailable');
  const { username, password } = { ...CREDENTIALS, username: 'alice' };
  expectProblem(await call(node, 'login', { body: { username, password } }), 'unavailable');
  expectProblem(await call(node, 'refresh', { body: { refreshToken: alice.refreshToken } }), 'unavailable');
  expect((await call(node, 'getMailbox', { token: bob.token })).body.unread).toBe(1);
  expect((await call(node, 'logout', { token })).status).toBe(204);
});

test('REDIS_MAXMEMORY sets the limit of a private Redis only if it has none', async () => {
  const { redisUrl, admin } = await ownRedis();
  await startNode({ REDIS_MAXMEMORY: '64mb' }, { redisUrl });
  expect(await admin.config('GET', 'maxmemory')).toEqual(['maxmemory', String(64 * 1_024 ** 2)]);
  await startNode({ REDIS_MAXMEMORY: '32mb' }, { redisUrl, prefix: 'other:' });
  expect(await admin.config('GET', 'maxmemory')).toEqual(['maxmemory', String(64 * 1_024 ** 2)]);
});

test('when Redis rejects writes, all writing operations return unavailable', async () => {
  const { node, admin, alice, bob } = await full();
  await admin.config('SET', 'min-replicas-to-write', 1); // there is no replica, so Redis rejects every write with NOREPLICAS
  const { username, password } = { ...CREDENTIALS, username: 'alice' };
  for (const refused of [
    await say(alice, 'after'),
    await tell(alice, 'bob', 'after'),
    await call(node, 'createTicket', { token: bob.token }),
    await call(node, 'login', { body: { username, password } }),
    await call(node, 'register', { body: CREDENTIALS }),
  ])
    expectProblem(refused, 'unavailable');
  expect((await call(node, 'getMailbox', { token: bob.token })).status).toBe(200);
});
