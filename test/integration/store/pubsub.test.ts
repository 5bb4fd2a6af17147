import { expect, inject, onTestFinished, test } from 'vitest';
import { openStore, type Store } from '../../../src/store/redis/client.ts';
import { createPubSub } from '../../../src/store/redis/pubsub.ts';
import { createWriteCheck } from '../../../src/store/redis/write-check.ts';
import { until } from '../../kit/app.ts';
import { redisProxy } from '../../kit/proxy.ts';

async function pubsubOver(url: string) {
  const warnings: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void warnings.push(message) };
  const store: Store = await openStore({
    url,
    prefix: `test-${Math.random()}:`,
    newRealm: 'realm',
    log,
    ephemeral: true,
  });
  const probe = store.keys.channels.probe('n-test');
  const writeCheck = createWriteCheck(store, probe, () => {});
  const pubsub = createPubSub(store, { probe, writeCheck, reportError: () => {}, log });
  onTestFinished(() => {
    pubsub.stop();
    store.close();
  });
  return { store, pubsub, warnings };
}

test('a listener receives published messages until it is removed', async () => {
  const { store, pubsub } = await pubsubOver(inject('redisUrl'));
  const received: string[] = [];
  await pubsub.start(() => {});
  await pubsub.subscribe('channel', (payload) => received.push(payload));
  await store.commands.spublish('channel', 'one');
  await until('the message arrives', () => received.length === 1);
  pubsub.unsubscribe('channel');
  await until(
    'the channel has no subscriber',
    async () => (await store.commands.spublish('channel', 'two')) === 0,
  );
  expect(received).toEqual(['one']);
});

test('after a disconnect every channel is subscribed again, and the owners are notified', async () => {
  const proxy = await redisProxy();
  const { store, pubsub } = await pubsubOver(proxy.url);
  const received: string[] = [];
  let restored = 0;
  await pubsub.start(() => {
    restored += 1;
  });
  await pubsub.subscribe('channel', (payload) => received.push(payload));
  expect(restored).toBe(1);
  proxy.cut();
  await until('the subscriber reconnects', () => restored === 2);
  await until('a message comes through', async () => {
    await store.commands.spublish('channel', 'again').catch(() => {});
    return received.length > 0;
  });
});

test('a subscriber that is connected but receives nothing is detected within 10 s and replaced', async () => {
  const proxy = await redisProxy();
  const { store, pubsub, warnings } = await pubsubOver(proxy.url);
  const received: string[] = [];
  let restored = 0;
  await pubsub.start(() => {
    restored += 1;
  });
  await pubsub.subscribe('channel', (payload) => received.push(payload));
  proxy.silenceSubscribers();
  await store.commands.spublish('channel', 'lost');
  await until('the subscriber reconnects', () => restored === 2, 10_000);
  expect(warnings).toContain('redis (subscriber): connected but silent; reconnecting');
  expect(pubsub.isReceiving()).toBe(true);
  await store.commands.spublish('channel', 'found');
  await until('the message arrives', () => received.length > 0);
  expect(received).toEqual(['found']);
});

test('the subscriber is not replaced while Redis as a whole hangs', async () => {
  const proxy = await redisProxy();
  const { pubsub, warnings } = await pubsubOver(proxy.url);
  await pubsub.start(() => {});
  proxy.hang(true);
  await new Promise((resolve) => setTimeout(resolve, 9_000)); // longer than the silence after which a subscriber is replaced
  proxy.hang(false);
  expect(warnings.filter((each) => each.includes('silent'))).toEqual([]);
});
