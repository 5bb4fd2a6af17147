import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { type Entry, parseEntry, parseInboxEntry } from '../../../src/store/log/entry.ts';
import type { LogKeys } from '../../../src/store/redis/keys.ts';
import { entriesLookedAt, watchCommands } from '../../kit/monitor.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const textsOf = (part: { entries: { message: string }[] }) =>
  part.entries.map(({ message }) => JSON.parse(message).text);

const CHANNEL = directChannel('alice', 'bob');
const readDirect = (logs: ReturnType<typeof testLogs>, log: LogKeys) =>
  logs.read(log, { count: 500 }, (seq, raw) => parseEntry(seq, raw, CHANNEL));

test('a log counts from 1, reports its end, and returns the entries between two positions', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  for (const text of ['one', 'two', 'three', 'four', 'five']) await logs.broadcast(draft('alice', text));
  const log = store.keys.everyone;
  const all = await logs.read(log, { count: 10 });
  expect(all.entries.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  expect(all.entries.map(({ message }) => JSON.parse(message).seq)).toEqual([1, 2, 3, 4, 5]);
  expect(all.end).toEqual({
    epoch: expect.stringMatching(/^e+\d+$/),
    seq: 5,
    mark: all.entries[4]!.mark,
  });
  expect(textsOf(await logs.read(log, { count: 2 }))).toEqual(['four', 'five']);
  expect(textsOf(await logs.read(log, { before: 4, count: 2 }))).toEqual(['two', 'three']);
  expect(textsOf(await logs.read(log, { after: 1, count: 2 }))).toEqual(['two', 'three']);
  expect(textsOf(await logs.read(log, { after: 1, before: 3, count: 9 }))).toEqual(['two']);
  expect(textsOf(await logs.read(log, { after: 5, count: 9 }))).toEqual([]);
  expect(textsOf(await logs.read(log, { before: 1, count: 9 }))).toEqual([]);
});

test('an empty log has neither epoch nor entries', async () => {
  const store = await testStore();
  const part = await testLogs(store).read(store.keys.everyone, { count: 5 });
  expect(part).toEqual({ first: 1, end: { epoch: '', seq: 0, mark: '' }, entries: [], state: [] });
});

test('a full log drops its oldest entries together with their idempotency keys', async () => {
  const store = await testStore();
  const logs = testLogs(store, { broadcasts: 3 });
  for (const n of [1, 2, 3, 4, 5]) await logs.broadcast(draft('alice', `${n}`, { key: `key-${n}` }));
  const part = await logs.read(store.keys.everyone, { count: 10 });
  expect(part.first).toBe(3);
  expect(textsOf(part)).toEqual(['3', '4', '5']);
  expect((await store.commands.hkeys(store.keys.everyone.hash)).sort()).toEqual([
    '#',
    'key-3',
    'key-4',
    'key-5',
  ]);
});

test('a lowered limit is reached step by step, at most 100 entries per write', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  for (let n = 0; n < 250; n += 1) await logs.broadcast(draft('alice', `${n}`));
  const lower = testLogs(store, { broadcasts: 10 });
  const lengths = [];
  for (let n = 0; n < 4; n += 1) {
    await lower.broadcast(draft('alice', 'more'));
    lengths.push(await store.commands.llen(store.keys.everyone.list));
  }
  expect(lengths).toEqual([151, 52, 10, 10]);
});

test('the same idempotency key returns the message that was stored first', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  const first = await logs.broadcast(draft('alice', 'once', { key: 'k' }));
  const second = await logs.broadcast(draft('alice', 'twice', { key: 'k' }));
  expect(first.outcome).toBe('appended');
  expect(second).toEqual({ ...first, outcome: 'replayed' });
  expect(await store.commands.llen(store.keys.everyone.list)).toBe(1);
});

test('a direct message is stored in the log of its channel and in both inboxes, or nowhere', async () => {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const store = await testStore(prefix);
  const logs = testLogs(store);
  await account(store, 'bob');
  const sent = await logs.direct(directChannel('alice', 'bob'), draft('alice', 'hi', { sid: 's1' }));
  expect(sent.outcome).toBe('appended');
  const [entry] = (await readDirect(logs, store.keys.direct(CHANNEL))).entries;
  expect(entry!.message).toBe('message' in sent ? sent.message : '');
  for (const [username, origin] of [
    ['alice', 's1'],
    ['bob', '-'],
  ] as const) {
    const inbox = await logs.read(store.keys.inbox(username), { count: 9 }, parseInboxEntry);
    expect(inbox.entries).toEqual([{ ...entry, origin }]);
  }

  const unknown = await logs.direct(directChannel('alice', 'nobody'), draft('alice', 'hi'));
  expect(unknown.outcome).toBe('unknown');
  expect(await store.commands.keys(`${prefix}*nobody*`)).toEqual([]);
});

test('concurrent senders never leave a hole or duplicate a seq', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  await account(store, 'alice', 'bob');
  await Promise.all(
    Array.from({ length: 200 }, (_, n) => {
      const [from, to] = n % 2 ? ['alice', 'bob'] : ['bob', 'alice'];
      return logs.direct(directChannel(from!, to!), draft(from!, `${n}`));
    }),
  );
  const log = await readDirect(logs, store.keys.direct(CHANNEL));
  expect(log.entries.map(({ seq }) => seq)).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
  for (const username of ['alice', 'bob']) {
    const inbox = await logs.read(store.keys.inbox(username), { count: 500 }, parseInboxEntry);
    expect(inbox.entries.map(({ id }) => id)).toEqual(log.entries.map(({ id }) => id));
    expect(inbox.entries.map(({ message }) => message)).toEqual(log.entries.map(({ message }) => message));
  }
});

test('sends over the limit are rejected and change nothing, and repeats are not counted', async () => {
  const store = await testStore();
  const logs = testLogs(store, {}, 2);
  await logs.broadcast(draft('alice', '1', { key: 'k' }));
  for (let n = 0; n < 5; n += 1)
    expect((await logs.broadcast(draft('alice', '1', { key: 'k' }))).outcome).toBe('replayed');
  await logs.broadcast(draft('alice', '2'));
  const rejected = await logs.broadcast(draft('alice', '3'));
  expect(rejected).toEqual({ outcome: 'limited', waitMs: expect.any(Number) });
  expect(await store.commands.llen(store.keys.everyone.list)).toBe(2);
  expect((await logs.broadcast(draft('bob', '3'))).outcome).toBe('appended');
});

test('scripts that Redis has forgotten are sent again without an error', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  await logs.broadcast(draft('alice', 'before'));
  await store.commands.script('FLUSH');
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => logs.broadcast(draft('alice', `${n}`))));
  expect(all.every(({ outcome }) => outcome === 'appended')).toBe(true);
});

test('the ends of many logs are read in one command, including logs that do not exist', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  const { keys } = store;
  for (const name of ['alice', 'bob', 'carol']) await account(store, name);
  await logs.direct(directChannel('alice', 'bob'), draft('alice', 'one'));
  await logs.direct(directChannel('alice', 'bob'), draft('alice', 'two'));
  const inboxes = ['bob', 'carol', 'alice'].map((name) => keys.inbox(name));
  const ends = await logs.ends(inboxes.map(({ hash }) => hash));
  const read = await Promise.all(inboxes.map((inbox) => logs.read(inbox, { count: 0 })));
  expect(ends).toEqual(read.map(({ end }) => end));
  expect(ends.map(({ seq }) => seq)).toEqual([2, 0, 2]);
});

const LONGEST = '😀'.repeat(4_000);

test.each([
  ['oldest first', { after: 0 }],
  ['newest first', {}],
  ['newest first, before a seq', { before: 91 }],
])(
  'a read stops at its byte limit, returns at least one entry, and reads little more than it returns: %s',
  async (_, from) => {
    const prefix = `test-${randomUUID().slice(0, 8)}:`;
    const store = await testStore(prefix);
    const logs = testLogs(store);
    // Small ones stand before long ones in either direction.
    for (let n = 1; n <= 90; n += 1)
      await logs.broadcast(draft('alice', n > 10 && n <= 80 ? LONGEST : 'short'));
    const monitor = await watchCommands(store, prefix);
    for (const [maxBytes, max, min] of [
      [256 * 1024, 26, 24],
      [40_000, 12, 12],
      [10, 1, 1],
    ] as const) {
      let entries: Entry[] = [];
      const commands = await monitor.during(async () => {
        entries = (await logs.read(store.keys.everyone, { ...from, count: 90, maxBytes })).entries;
      });
      expect(entries.length).toBeLessThanOrEqual(max);
      expect(entries.length).toBeGreaterThanOrEqual(min);
      const end = 'after' in from ? 1 : 91 - entries.length;
      expect(entries.map(({ seq }) => seq)).toEqual(entries.map((__, index) => end + index));
      expect(entriesLookedAt(commands)).toBeLessThanOrEqual(entries.length + 16);
    }
  },
);

test('a read with minEntries returns the next entry after a known one, whatever their size', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  for (let n = 0; n < 5; n += 1) await logs.broadcast(draft('alice', LONGEST));
  const window = { count: 5, maxBytes: 10, minEntries: 2 };
  const seqs = async (more: object) =>
    (await logs.read(store.keys.everyone, { ...window, ...more })).entries.map(({ seq }) => seq);
  expect(await seqs({ after: 1 })).toEqual([2, 3]);
  expect(await seqs({ after: 4 })).toEqual([5]);
  expect(await seqs({})).toEqual([4, 5]);
});

test('a read returns at most 256 KiB, even without a byte limit', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  for (let n = 0; n < 30; n += 1) await logs.broadcast(draft('alice', LONGEST));
  expect((await logs.read(store.keys.everyone, { count: 30 })).entries.length).toBe(16);
});
