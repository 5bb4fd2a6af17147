/** Stored bytes count for their log and for the account that sent them. */
import { expect, test } from 'vitest';
import type { Store } from '../../../src/store/redis/client.ts';
import { person, say, startNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testLogs, testStore } from '../../kit/store.ts';

const LONG = 'x'.repeat(4_000);
/** The bytes that count for an account. */
const stored = async (store: Store, name: string): Promise<number> =>
  Number((await testLogs(store).read(store.keys.inbox(name), { count: 0 })).meta['stored']);

const texts = (messages: { text: string }[]) => messages.map(({ text }) => text.slice(0, 2).trim());

test('conversations and broadcasts drop their oldest messages above their byte limit', async () => {
  const node = await startNode({ HISTORY_BYTES: '65536', BROADCAST_BYTES: '65536' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (let n = 10; n < 30; n += 1) {
    await tell(alice, 'bob', `${n}${LONG.slice(2)}`);
    await say(alice, `${n}${LONG.slice(2)}`);
  }
  const direct = await call(node, 'listDirect', { token: bob.token, path: { username: 'alice' } });
  const broadcasts = await call(node, 'listBroadcasts', { token: bob.token });
  const newest = Array.from({ length: 15 }, (_, n) => `${n + 15}`);
  expect(texts(direct.body.messages)).toEqual(newest);
  expect(texts(broadcasts.body.messages)).toEqual(newest);
});

async function atQuota() {
  const node = await startNode({ ACCOUNT_BYTES: '65536' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await person(node, 'carol');
  for (let n = 10; n < 25; n += 1) await tell(alice, 'bob', `${n}${LONG.slice(2)}`);
  return { node, alice, bob };
}

test('an account at its quota cannot start a conversation, and nothing changes', async () => {
  const { node, alice } = await atQuota();
  const before = await everything(node);
  expectProblem(await tell(alice, 'carol', LONG), 'quota_exceeded');
  expect(await everything(node)).toEqual(before);
});

test('an account at its quota can continue a conversation, which drops its oldest messages there', async () => {
  const { node, alice, bob } = await atQuota();
  expect((await tell(alice, 'bob', `25${LONG.slice(2)}`)).status).toBe(201);
  const { body } = await call(node, 'listDirect', { token: bob.token, path: { username: 'alice' } });
  expect(texts(body.messages)[0]).toBe('13');
  expect(texts(body.messages).at(-1)).toBe('25');
  expect((await tell(alice, 'carol', LONG)).status).toBe(201);
});

test('messages from others do not count for an account, and trimmed messages are refunded', async () => {
  const { node, alice, bob } = await atQuota();
  expect((await tell(bob, 'alice', LONG)).status).toBe(201);
  const store = await testStore(node.prefix);
  const { commands, keys } = store;
  const list = await commands.lrange(keys.conversation('alice', 'bob').list, 0, -1);
  const sentBy = (name: string) =>
    list.filter((entry) => entry.includes(`"from":"${name}"`)).reduce((sum, entry) => sum + entry.length, 0);
  for (const name of [alice.username, bob.username]) expect(await stored(store, name)).toBe(sentBy(name));
  const { list: where, meta } = keys.conversation('alice', 'bob');
  expect(Number(await commands.hget(meta, 'bytes'))).toBe(sentBy('alice') + sentBy('bob'));
  expect(await commands.llen(where)).toBe(16);
});

test('messages stored by an older release count for nobody', async () => {
  const { node, alice, bob } = await atQuota();
  const store = await testStore(node.prefix);
  const { commands, keys } = store;
  const conversation = keys.conversation('alice', 'bob');
  await commands.hdel(conversation.meta, 'bytes', 'sized'); // an older release has no such fields
  await commands.hdel(keys.inbox('alice').meta, 'counters');
  await commands.hset(keys.inbox('alice').meta, { received: 0, read: 0, dropped: 0, acked: 16 });
  await tell(alice, 'bob', 'new');
  expect(await commands.hget(conversation.meta, 'sized')).toBe('16');
  const entry = (await commands.lindex(conversation.list, -1))!;
  expect(Number(await commands.hget(conversation.meta, 'bytes'))).toBe(entry.length);
  expect(await stored(store, 'alice')).toBe(entry.length);
  const { body } = await call(node, 'listDirect', { token: bob.token, path: { username: 'alice' } });
  expect(body.messages).toHaveLength(16);
});
