/** Inboxes written by a release without counters: entries, and a meta hash with only received, read and dropped. */
import { v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import { inboxKeys } from '../../../src/store/inbox-recount.ts';
import { inboxState } from '../../../src/store/inboxes.ts';
import type { Store } from '../../../src/store/redis/client.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

type OldEntry = { from: string; to: string; id: string };

/** Write an inbox of `me` as release 9269ab0 did, with `acked` entries acknowledged. */
async function oldInbox(store: Store, me: string, count: number, acked: number): Promise<OldEntry[]> {
  const inbox = store.keys.inbox(me);
  const entries: OldEntry[] = [];
  let [received, read] = [0, 0];
  for (let seq = 1; seq <= count; seq += 1) {
    const own = seq % 7 === 0;
    const other = `x${seq % 3}`;
    const [from, to] = own ? [me, other] : [other, me];
    const id = uuidv7();
    entries.push({ from, to, id });
    if (!own) received += 1;
    if (seq === acked) read = received;
    const message = JSON.stringify({ id, kind: 'dm', from, to, text: `${seq}`, sentAt: '', seq });
    await store.commands.rpush(inbox.list, `${own ? 'session' : '-'} ${received} ${message}`);
    await store.commands.hset(inbox.ids, id, seq);
  }
  const mark = entries.at(-1)!.id.slice(-8);
  await store.commands.hset(inbox.meta, { epoch: 'old00000', first: 1, last: count, mark });
  await store.commands.hset(inbox.meta, { received, read, dropped: 0, acked });
  return entries;
}

const SENDERS = ['x0', 'x1', 'x2'];
const unread = (entries: OldEntry[], me: string, from: number) =>
  SENDERS.map((name) => entries.slice(from).filter((each) => each.from === name && each.to === me).length);

async function setup() {
  const store = await testStore();
  await account(store, 'me', ...SENDERS);
  return { store, logs: testLogs(store), entries: await oldInbox(store, 'me', 260, 30) };
}

test('unread counts per sender are correct on the first read', async () => {
  const { logs, entries } = await setup();
  expect(await logs.unreadOf('me', SENDERS)).toEqual(unread(entries, 'me', 30));
});

test('a message that arrives before the recount is added to the existing ones', async () => {
  const { store, logs, entries } = await setup();
  expect((await logs.direct('x1', 'me', draft('x1', 'new', { to: 'me' }))).outcome).toBe('appended');
  const expected = unread(entries, 'me', 30);
  expected[1]! += 1;
  expect(await logs.unreadOf('me', SENDERS)).toEqual(expected);
  const part = await logs.read(store.keys.inbox('me'), { count: 500 });
  expect(part.entries).toHaveLength(261);
  expect(inboxState(part)).toMatchObject({ acked: 30, unread: expected.reduce((a, b) => a + b) });
});

test('an acknowledgement before the recount leaves the later messages unread', async () => {
  const { logs, entries } = await setup();
  const remaining = unread(entries, 'me', 200);
  expect(await logs.ack('me', 's', entries[199]!.id)).toBe(remaining.reduce((a, b) => a + b));
  expect(await logs.unreadOf('me', SENDERS)).toEqual(remaining);
});

test('concurrent recounts, with an acknowledgement by the old release between two steps, do not miscount', async () => {
  const { store, logs, entries } = await setup();
  const inbox = store.keys.inbox('me');
  expect(await store.run('inbox-recount', inboxKeys(inbox), [100, 10_000, 1_000_000])).toBe('more');
  // It moves `acked` and `read` without counting.
  await store.commands.hset(inbox.meta, { acked: 100, read: 86 });
  await Promise.all([logs.recount('me'), logs.recount('me'), logs.unreadOf('me', SENDERS)]);
  expect(await logs.unreadOf('me', SENDERS)).toEqual(unread(entries, 'me', 100));
  const { meta } = await logs.read(inbox, { count: 0 });
  expect(inboxState({ meta })).toMatchObject({ acked: 100, overflowed: false });
  expect(await store.commands.hkeys(inbox.meta)).not.toContain('counting');
});
