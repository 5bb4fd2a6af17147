/** The conversation list against an array model, and the cost of a page. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { directChannel, otherMember } from '../../../src/store/channels.ts';
import { createConversationStore, type ListPlace } from '../../../src/store/conversations.ts';
import { createPresenceStore } from '../../../src/store/presence.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { watchCommands } from '../../kit/monitor.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const listOf = (store: Store) => createConversationStore(store, () => 'eeeeeeee');

/** Read all pages, running a callback after each. */
async function walk(store: Store, limit: number, between: () => Promise<void> = async () => {}) {
  const conversations = listOf(store);
  const all: string[] = [];
  let next: ListPlace | undefined;
  do {
    const part = await conversations.page('me', limit, next);
    all.push(...part.listed.map(({ channel }) => otherMember(channel, 'me')));
    next = part.next;
    await between();
  } while (next && all.length < 20_000);
  return all;
}

/** Write a list of channels with `u0` … as the store would, where the channel with u0 is the oldest. Its times are 1, 2, … */
async function fill(store: Store, count: number): Promise<void> {
  const { hash } = store.keys.inbox('me');
  const script = `
    local channels = cjson.decode(ARGV[1])
    for i, channel in ipairs(channels) do
      redis.call('HSET', KEYS[1], channel, cmsgpack.pack(i, channels[i + 1] or '-', channels[i - 1] or '-', 0, '-', 0, 0, 0, 0,
        true, false))
    end
    redis.call('HSET', KEYS[1], '#', cmsgpack.pack('eeeeeeee', '-', 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
      channels[#channels], channels[1], #channels))`;
  const channels = Array.from({ length: count }, (_, n) => directChannel('me', `u${n}`));
  await store.commands.eval(script, 1, hash, JSON.stringify(channels));
}

test('the list equals an array model after any history of sent and received messages', async () => {
  const step = fc.record({ other: fc.nat(7), isSent: fc.boolean() });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 25 }),
      fc.integer({ min: 1, max: 9 }),
      async (steps, limit) => {
        const store = await testStore();
        const logs = testLogs(store);
        const names = Array.from({ length: 8 }, (_, n) => `u${n}`);
        await account(store, 'me', ...names);
        let model: string[] = [];
        for (const { other: n, isSent } of steps) {
          const other = names[n]!;
          await logs.direct(directChannel('me', other), draft(isSent ? 'me' : other, 'hi'));
          model = [other, ...model.filter((each) => each !== other)];
        }
        expect(await walk(store, limit)).toEqual(model);
        expect(await walk(store, limit), 'again').toEqual(model);
        store.close();
      },
    ),
    { numRuns: 30 },
  );
});

test('paging neither skips nor repeats a conversation that stays in place while others move to the front', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  const names = Array.from({ length: 40 }, (_, n) => `u${n}`);
  await account(store, ...names);
  const say = (other: string) => logs.direct(directChannel('me', other), draft('me', 'hi')).then(() => {});
  for (const name of names) await say(name);
  const moving = names.filter((_, n) => n % 3 === 0);
  let turn = 0;
  const all = await walk(store, 4, async () => {
    for (let n = 0; n < 3; n += 1) await say(moving[(turn++ * 5) % moving.length]!);
  });
  const still = names.filter((name) => !moving.includes(name)).toReversed();
  expect(all.filter((name) => still.includes(name))).toEqual(still);
  expect(new Set(all).size).toBe(all.length);
});

test('the cost of a page depends on its size only, and moving to the front costs the same for any list length', async () => {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const store = await testStore(prefix);
  const conversations = listOf(store);
  const { hash } = store.keys.inbox('me');
  await fill(store, 5_000);
  const monitor = await watchCommands(store, prefix);

  let next: ListPlace | undefined;
  for (const limit of [1, 10, 100]) {
    const commands = await monitor.during(async () => {
      ({ next } = await conversations.page('me', limit, next));
    });
    expect(commands.length).toBeLessThan(limit + 10);
  }

  const logs = testLogs(store);
  await account(store, 'u5', 'u6');
  const costs = [];
  for (const other of ['u5', 'u6', 'u6']) {
    const commands = await monitor.during(() => logs.direct(directChannel('me', other), draft('me', 'hi')));
    costs.push(commands.filter(([, where]) => where === hash).length);
  }
  // State and channel; up to three neighbors; and one write.
  expect(Math.max(...costs)).toBeLessThanOrEqual(5);
  expect(costs[2], 'the newest stays in place').toBe(2);
});

test('a cursor of an unknown conversation costs a bounded walk per page and still reaches the end', async () => {
  const store = await testStore();
  const conversations = listOf(store);
  await fill(store, 15_000);
  const first = await conversations.page('me', 10, { before: 5, from: 'nobody' });
  expect(first.listed).toEqual([]);
  expect(first.next).toBeDefined();
  const second = await conversations.page('me', 10, first.next);
  expect(second).toEqual({
    listed: [4, 3, 2, 1].map((at) => ({ channel: directChannel('me', `u${at - 1}`), at, unread: 0 })),
    next: undefined,
  });
});

test('an aborted request stops reading', async () => {
  const store = await testStore();
  const conversations = listOf(store);
  const signal = AbortSignal.abort(new Error('gone'));
  await expect(conversations.page('me', 10, undefined, signal)).rejects.toThrow('gone');
});

test('an aborted read is never started: pages, the mailbox, the online list', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  await logs.broadcast(draft('alice', 'hi'));
  const signal = AbortSignal.abort(new Error('gone'));
  const reads = [
    logs.read(store.keys.everyone, { count: 5, signal }),
    logs.mailbox('me', 0, 5, signal),
    createPresenceStore(store, 'n-test').list(5, null, { signal }),
  ];
  for (const read of reads) await expect(read).rejects.toThrow('gone');
});
