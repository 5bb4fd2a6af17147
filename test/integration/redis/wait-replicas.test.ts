/** WAIT_REPLICAS: a send succeeds when replicas have it. */
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../../src/store/redis/client.ts';
import { person, startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { inSync, redisServer, urlOf } from '../../kit/servers.ts';
import { draft, testLogs } from '../../kit/store.ts';
import type { Server } from '../../kit/topology/server.ts';

async function primaryWithReplicas(count: number) {
  const primary = await redisServer({ 'repl-diskless-sync-delay': 0 });
  const replicas = await Promise.all(
    Array.from({ length: count }, () => redisServer({ replicaof: `127.0.0.1 ${primary.port}` })),
  );
  await inSync(primary, ...replicas);
  return { primary, replicas };
}

test('a send succeeds while enough replicas confirm it, and fails otherwise, also when it is repeated', async () => {
  const { primary, replicas } = await primaryWithReplicas(2);
  const { log, text } = recorder();
  const node = await startNode({ WAIT_REPLICAS: '2' }, { redisUrl: urlOf(primary), prefix: 'parley:', log });
  expect(text()).toMatch(/WAIT_REPLICAS is 2, and Redis has \d replicas?/);
  const { token } = await person(node, 'alice');
  await person(node, 'bob');
  const other = await startNode({ WAIT_REPLICAS: '2' }, { redisUrl: urlOf(primary), prefix: 'parley:' });
  const sendOnce = (key: string, by = node) =>
    call(by, 'sendDirect', {
      token,
      path: { username: 'bob' },
      body: { text: key },
      headers: { 'Idempotency-Key': key },
    });
  await until('both replicas confirm a send', async () => (await sendOnce('both')).status === 201);
  replicas[0]!.stop();
  expectProblem(await sendOnce('one'), 'unavailable');
  expectProblem(await sendOnce('one'), 'unavailable'); // stored by now, but not on two replicas
  expectProblem(await sendOnce('one', other), 'unavailable');
  expectProblem(await call(node, 'sendBroadcast', { token, body: { text: 'hello' } }), 'unavailable');
  const reading = performance.now();
  expect((await call(node, 'listDirect', { token, path: { username: 'bob' } })).status).toBe(200);
  expect(performance.now() - reading).toBeLessThan(250); // not behind a WAIT
  replicas[0]!.continue();
  await inSync(primary, ...replicas);
  await until('both replicas confirm the repeat', async () => (await sendOnce('one')).status === 201);
  const { body } = await call(node, 'listDirect', { token, path: { username: 'bob' } });
  expect(body.messages.map((each: { text: string }) => each.text)).toEqual(['both', 'one']);
});

/** A store without the timers of a node, and how often Redis has run a command. */
async function storeOf(primary: Server) {
  const log = { info: () => {}, warn: () => {} };
  const store = await openStore({
    url: urlOf(primary),
    prefix: 'parley:',
    newRealm: 'r',
    log,
    waitReplicas: 1,
  });
  onTestFinished(() => store.close());
  const count = async (command: string): Promise<number> => {
    const stats = String(await primary.call('INFO', 'commandstats'));
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  };
  return { logs: testLogs(store), count };
}

test('the sends of one turn of the event loop share a WAIT', async () => {
  const { primary } = await primaryWithReplicas(2);
  const { logs, count } = await storeOf(primary);
  // on a slow machine some may not be confirmed in time
  await Promise.allSettled(
    Array.from({ length: 200 }, (_, index) => logs.broadcast(draft('alice', String(index)))),
  );
  expect(await count('wait')).toBeLessThan(20);
});

// WAIT promises to cover what its connection wrote, and a repeat may come over another one than the message.
test('a repeat of a stored message writes to the log before it waits', async () => {
  const { primary } = await primaryWithReplicas(2);
  const { logs, count } = await storeOf(primary);
  const message = draft('alice', 'hello', { key: 'a-key' });
  await logs.broadcast(message).catch(() => {});
  const before = { hset: await count('hset'), wait: await count('wait') };
  await logs.broadcast(message).catch(() => {});
  expect(await count('wait')).toBe(before.wait + 1);
  expect(await count('hset')).toBe(before.hset + 1);
});
