/** Stored bytes count for their log and for the account that sent them. */
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { person, say, startNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import { testLogs, testStore } from '../../kit/store.ts';

/** 4,200 bytes, so that 15 fit into 64 KiB. */
const LONG = 'x'.repeat(3_800) + 'é'.repeat(200);
/** Where the state of an inbox has `stored`: see packState in src/store/lua/lib/inbox.lua, after the four of any log. */
const STORED = 8;
/** The bytes that count for an account. */
const stored = async (store: Store, name: string): Promise<number> =>
  (await testLogs(store).read(store.keys.inbox(name), { count: 0 })).state![STORED]!;

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
  const log = keys.direct(directChannel('alice', 'bob'));
  const list = await commands.lrange(log.list, 0, -1);
  const sentBy = (name: string) =>
    list
      .filter((entry) => entry.includes(` ${name} {`))
      .reduce((sum, entry) => sum + Buffer.byteLength(entry), 0);
  for (const name of [alice.username, bob.username]) expect(await stored(store, name)).toBe(sentBy(name));
  const [bytes, count] = (await testLogs(store).read(log, { count: 0 })).state!;
  expect([bytes, count]).toEqual([sentBy('alice') + sentBy('bob'), 16]);
  expect(list).toHaveLength(16);
});
