/** Presence after Redis loses data. */
import { expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, until } from '../kit/app.ts';
import { call } from '../kit/contract.ts';
import { startRedisServer } from './redis-server.ts';

// Regression: a node announced an account once and assumed that Redis remembered. After Redis restarted from an older copy,
// accounts that had come online since stayed offline, and accounts that had left stayed online.
test('corrects presence within 20 s after Redis restarts with older data', async () => {
  const redis = await startRedisServer('always');
  onTestFinished(() => redis.end());
  const node = await startNode({}, { redisUrl: `redis://127.0.0.1:${redis.port}` });
  const [alice, bob, carol] = [
    await person(node, 'alice'),
    await person(node, 'bob'),
    await person(node, 'carol'),
  ];
  const online = async () => {
    const { body } = await call(node, 'listOnline', { token: alice.token });
    return body.users?.map(({ username }: { username: string }) => username).sort();
  };
  const isOnline = async (...names: string[]) => (await online())?.join() === names.join();
  await listen(alice);
  const stream = await listen(bob);
  await until('two are online', () => isOnline('alice', 'bob'));
  const copy = redis.copy();
  stream.close();
  await listen(carol);
  await until('bob is gone', () => isOnline('alice', 'carol'), 10_000);
  await redis.kill();
  redis.restore(copy);
  await redis.start();
  await until('presence is correct', () => isOnline('alice', 'carol'), 20_000);
  expect(await online()).toEqual(['alice', 'carol']);
});
