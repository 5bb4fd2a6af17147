/** Presence against a Redis that forgets. */
import { expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { startRedisServer } from './redis-server.ts';

// A node said once who was here, and was then sure that Redis knew. Redis came back as it had been before that: who had
// come since was offline for everybody, and who had gone was online, for as long as the node lived.
test('when Redis comes back as it was, who came since is online and who went since is not, within 20 s', async () => {
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
  redis.becomeCopy(copy);
  await redis.start();
  await until('presence is right', () => isOnline('alice', 'carol'), 20_000);
  expect(await online()).toEqual(['alice', 'carol']);
}, 60_000);
