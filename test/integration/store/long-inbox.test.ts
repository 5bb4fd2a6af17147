/** Each script call examines a bounded part of an inbox, even if most of it is tombstones or many senders fill it. */
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createMailbox } from '../../../src/chat/mailbox.ts';
import { directChannel } from '../../../src/store/channels.ts';
import { decodeId } from '../../../src/store/log/entry.ts';
import type { Retention } from '../../../src/store/log/log-store.ts';
import { entriesLookedAt, watchCommands } from '../../kit/monitor.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

/** An account `me` with the friends ann and bob. */
async function setup(retention: Partial<Retention>) {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const store = await testStore(prefix);
  const logs = testLogs(store, retention);
  await account(store, 'me', 'ann', 'bob');
  const send = async (from: string, to: string, text = 'x') => {
    const sent = draft(from, text);
    const { outcome } = await logs.direct(directChannel(from, to), sent);
    return { outcome, id: decodeId(sent.id) };
  };
  for (const friend of ['ann', 'bob']) await send('me', friend);
  const monitor = await watchCommands(store, prefix);
  /** For each call of a script, the number of entries that it looked at. */
  const lookedAt = async (work: () => Promise<unknown>) => {
    await monitor.during(async () => {}); // Redis has reported all commands from before
    const calls: string[][][] = [];
    for (const command of await monitor.during(work)) {
      if (/^evalsha$/i.test(command[0]!)) calls.push([]);
      else calls.at(-1)?.push(command);
    }
    return calls.map(entriesLookedAt);
  };
  return { store, logs, send, lookedAt };
}

/** An unread message from ann, then about 2,000 tombstones, then 999 unread messages from bob. */
async function mostlyTombstones() {
  const limit = 1_000;
  const setUp = await setup({ inbox: limit });
  const { send, store } = setUp;
  const front = await send('ann', 'me');
  const ids: string[] = [];
  for (let n = 0; n < 3 * limit - 1; n += 100) {
    const count = Math.min(100, 3 * limit - 1 - n);
    const sent = await Promise.all(Array.from({ length: count }, () => send('bob', 'me')));
    ids.push(...sent.map(({ id }) => id));
  }
  expect(await store.commands.llen(store.keys.inbox('me').list)).toBeGreaterThan(2.9 * limit);
  return { ...setUp, front, waiting: ids.slice(1 - limit) };
}

test('reading and acknowledging over thousands of tombstones takes several bounded calls', async () => {
  const { logs, lookedAt, front, waiting } = await mostlyTombstones();
  const find = Math.ceil(Math.log2(3_000)) + 2 * 64;
  const reads = await lookedAt(async () => {
    const part = await logs.mailbox('me', front.id, 9);
    expect(part).toMatchObject({ hasMore: true, messages: [] });
  });
  expect(reads).toHaveLength(1);
  expect(Math.max(...reads)).toBeLessThanOrEqual(1_000 + 32 + find);

  const mailbox = createMailbox({ logs });
  const me = { username: 'me', sid: 's', expiresAtMs: 0 };
  const ids: string[] = [];
  let page = await mailbox.list(me, 100, front.id);
  ids.push(...page.messages.map(({ id }) => id));
  while (page.hasMore) {
    page = await mailbox.list(me, 100, ids.at(-1));
    ids.push(...page.messages.map(({ id }) => id));
  }
  expect(ids).toEqual(waiting);

  const target = waiting.at(-2)!;
  const acks = await lookedAt(async () => expect(await logs.ack('me', 's', target)).toBe(1));
  expect(acks.length).toBeGreaterThan(5);
  expect(Math.max(...acks)).toBeLessThanOrEqual(300 + find);
});

test("a friend's large message makes room in an inbox of 1,000 light senders in few calls", async () => {
  const { send, lookedAt } = await setup({ inbox: 4_000, inboxBytes: 120_000 });
  await send('ann', 'me', 'at the front');
  for (let round = 0; round < 3; round += 1)
    for (let n = 0; n < 1_000; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, at) => send(`x${n + at}`, 'me')));
  const calls = await lookedAt(async () => {
    expect((await send('bob', 'me', 'x'.repeat(12_000))).outcome).toBe('appended');
  });
  expect(calls.length).toBeLessThanOrEqual(2);
});
