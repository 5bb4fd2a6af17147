import { expect, onTestFinished, test } from 'vitest';
import { openStore, StoreUnavailable } from '../../../src/store/redis/client.ts';
import { within } from '../../kit/patience.ts';
import { redisProxy } from '../../kit/proxy.ts';
import { testStore } from '../../kit/store.ts';

async function storeBehindProxy() {
  const proxy = await redisProxy();
  const log = { info: () => {}, warn: () => {} };
  const store = await openStore({ url: proxy.url, prefix: 'x:', newRealm: 'realm', log, ephemeral: true });
  onTestFinished(() => store.close());
  const direct = await testStore();
  const key = direct.keys.heartbeats;
  return {
    proxy,
    store,
    add: () => store.attempt(store.commands.hincrby(key, 'n', 1)),
    count: async () => Number(await direct.commands.hget(key, 'n')),
  };
}

test('a command to a hanging Redis fails as unavailable within 3 s', async () => {
  const { proxy, add } = await storeBehindProxy();
  await add();
  proxy.hang(true);
  const startedAt = performance.now();
  await expect(add()).rejects.toBeInstanceOf(StoreUnavailable);
  expect(performance.now() - startedAt).toBeLessThan(within(3_500));
});

test('a write whose reply was cut off fails as unknown and is never resent automatically', async () => {
  const { proxy, store, add, count } = await storeBehindProxy();
  proxy.hang(true);
  const adding = Promise.allSettled(Array.from({ length: 5 }, add));
  await expect.poll(count).toBe(5);
  const cutAt = performance.now();
  proxy.cut();
  for (const each of await adding)
    expect(each).toMatchObject({ status: 'rejected', reason: expect.any(StoreUnavailable) });
  // ioredis leaves such commands waiting; a client that learns of the failure can repeat its send immediately.
  expect(performance.now() - cutAt).toBeLessThan(within(500));
  proxy.hang(false);
  await expect.poll(() => store.commands.ping().catch(() => 'away'), { timeout: 5_000 }).toBe('PONG');
  expect(await count()).toBe(5);
});

test('an error reply to an invalid command is passed through as a bug', async () => {
  const store = await testStore();
  await store.commands.hset(store.keys.heartbeats, 'a', 1);
  const wrong = store.attempt(store.commands.lpush(store.keys.heartbeats, 'b'));
  await expect(wrong).rejects.toThrow(/WRONGTYPE/);
  await expect(wrong).rejects.not.toBeInstanceOf(StoreUnavailable);
});

test('an error that did not come from Redis is not reported as Redis being unavailable', async () => {
  const { attempt } = await testStore();
  const file = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE', path: '/a/file' });
  for (const error of [file, new TypeError('x is undefined')])
    await expect(attempt(Promise.reject(error))).rejects.toBe(error);
  const connection = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  await expect(attempt(Promise.reject(connection))).rejects.toBeInstanceOf(StoreUnavailable);
});
