/** Presence after a worker was killed. A file of its own, because it may take 20 s. */
import { expect, test } from 'vitest';
import { person, until } from '../kit/app.ts';
import { call } from '../kit/contract.ts';
import { listenOn, startWorkers } from '../kit/workers.ts';

test('a killed worker is replaced with growing delay; its accounts are offline within 20 s, other streams stay open', async () => {
  const { node, pids, output } = await startWorkers();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const [living, dying] = [...pids().keys()];
  const watching = await listenOn(living!, alice);
  const stream = await listenOn(dying!, bob);
  await until('bob is online', async () => {
    const { body } = await call(node, 'listOnline', { token: alice.token });
    return body.total === 2;
  });
  const killedAt = Date.now();
  process.kill(pids().get(dying!)!, 'SIGKILL');
  await until("bob's stream has ended", () => stream.isClosed);
  await until('one more worker was started', () => pids().size === 3, 10_000);
  process.kill([...pids().values()].at(-1)!, 'SIGKILL');
  await until('and another one', () => pids().size === 4, 10_000);
  const restarts = output().matchAll(/a worker exited \(SIGKILL\); starting another in (\d+) ms/g);
  expect([...restarts].map(([, delay]) => delay)).toEqual(['100', '200']);
  const reconnected = await listenOn([...pids().keys()].at(-1)!, await person(node, 'carol'));
  const hasLeft = () => watching.events.some(({ data }) => data.offline?.includes('bob'));
  await until('bob is reported offline', hasLeft, 20_000 - (Date.now() - killedAt));
  const { body } = await call(node, 'listOnline', { token: alice.token });
  expect(body.users.map(({ username }: { username: string }) => username).sort()).toEqual(['alice', 'carol']);
  expect([watching.isClosed, reconnected.isClosed]).toEqual([false, false]);
});
