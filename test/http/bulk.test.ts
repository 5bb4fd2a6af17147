/** Long reads have a connection to Redis of their own: whatever becomes of it, nothing else stands behind them. */
import { expect, onTestFinished, test } from 'vitest';
import { listen, login, person, say, startNode, tell, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { redisProxy } from '../support/proxy.ts';
import type { TcpProxy } from '../support/tcp-proxy.ts';

async function behindProxy() {
  const proxy = await redisProxy();
  const node = await startNode({}, { redisUrl: proxy.url });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await say(alice, 'hi');
  await tell(alice, 'bob', 'hello');
  return { proxy, node, alice, bob };
}

const late = (proxy: TcpProxy, ms: number) => {
  proxy.delay(ms, 'bulk');
  onTestFinished(() => proxy.delay(0));
};

test('where long reads hang they are 503, and everything else goes on', async () => {
  const { proxy, node, alice, bob } = await behindProxy();
  const stream = await listen(bob);
  await stream.next('dm');
  late(proxy, 60_000);
  const { token } = bob;
  const startedAt = performance.now();
  const pages = [
    call(node, 'listBroadcasts', { token }),
    call(node, 'listDirect', { token, path: { username: 'alice' } }),
    call(node, 'getMailbox', { token }),
    call(node, 'listConversations', { token }),
  ];
  expect((await tell(alice, 'bob', 'again')).status).toBe(201);
  expect((await say(alice, 'again')).status).toBe(201);
  expect((await stream.next('broadcast')).data.text).toBe('again');
  expect((await call(node, 'getMe', { token })).status).toBe(200);
  await login(node, 'bob');
  expect((await call(node, 'createTicket', { token })).status).toBe(201);
  expect((await call(node, 'listOnline', { token })).body.total).toBe(1);
  const { status } = await call(node, 'ackMailbox', { token, body: { upTo: stream.lastEventId! } });
  expect(status).toBe(200);
  expect((await call(node, 'readiness')).status).toBe(200);
  expect(performance.now() - startedAt, 'nothing waited for a long read').toBeLessThan(2_500);
  for (const page of await Promise.all(pages)) expect(page.status).toBe(503);
});

test('when the connection for long reads is back, so are they', async () => {
  const { proxy, node, bob } = await behindProxy();
  proxy.reset('bulk');
  await until(
    'pages again',
    async () => (await call(node, 'listBroadcasts', { token: bob.token })).status === 200,
  );
});

test('one account’s long reads do not keep another’s waiting', async () => {
  const { proxy, node, alice, bob } = await behindProxy();
  late(proxy, 100);
  let done = 0;
  const many = Array.from({ length: 48 }, async () => {
    const { status } = await call(node, 'listBroadcasts', { token: alice.token });
    done += 1;
    return status;
  });
  await until('the first are answered', () => done > 0);
  const { status } = await call(node, 'listBroadcasts', { token: bob.token });
  expect(status).toBe(200);
  expect(done, 'answered before bob').toBeLessThan(40);
  expect(new Set(await Promise.all(many))).toEqual(new Set([200]));
});
