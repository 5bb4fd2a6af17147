/** Long reads use their own connection to Redis, so that they never delay anything else. */
import { expect, onTestFinished, test } from 'vitest';
import { listen, login, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { within } from '../../kit/patience.ts';
import { redisProxy } from '../../kit/proxy.ts';
import type { TcpProxy } from '../../kit/tcp-proxy.ts';

async function behindProxy() {
  const proxy = await redisProxy();
  const node = await startNode({}, { redisUrl: proxy.url });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await say(alice, 'hi');
  await tell(alice, 'bob', 'hello');
  return { proxy, node, alice, bob };
}

const delayBulk = (proxy: TcpProxy, ms: number) => {
  proxy.delay(ms, 'bulk');
  onTestFinished(() => proxy.delay(0));
};

test('when long reads hang they return 503, and everything else works', async () => {
  const { proxy, node, alice, bob } = await behindProxy();
  const stream = await listen(bob);
  await stream.next('dm');
  delayBulk(proxy, 60_000);
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
  expect(performance.now() - startedAt, 'nothing waited for a long read').toBeLessThan(within(2_500));
  for (const page of await Promise.all(pages)) expect(page.status).toBe(503);
});

test('long reads work again after their connection to Redis was reset', async () => {
  const { proxy, node, bob } = await behindProxy();
  proxy.reset('bulk');
  await until(
    'pages are served again',
    async () => (await call(node, 'listBroadcasts', { token: bob.token })).status === 200,
  );
});

test('the long reads of one account do not delay those of another', async () => {
  const { proxy, node, alice, bob } = await behindProxy();
  delayBulk(proxy, 100);
  let done = 0;
  const many = Array.from({ length: 48 }, async () => {
    const { status } = await call(node, 'listBroadcasts', { token: alice.token });
    done += 1;
    return status;
  });
  await until('the first pages are served', () => done > 0);
  const { status } = await call(node, 'listBroadcasts', { token: bob.token });
  expect(status).toBe(200);
  expect(done, 'pages served before bob').toBeLessThan(40);
  expect(new Set(await Promise.all(many))).toEqual(new Set([200]));
});
