/** Messages are found in an inbox by their ids, whose times may be out of order, with a bounded amount of work. */
import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { encodeId } from '../../../src/store/log/entry.ts';
import { entriesLookedAt, watchCommands } from '../../kit/monitor.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const HOUR_MS = 3_600_000;
const START_MS = 1_760_000_000_000;

/** An inbox of bob that received one message for each time. */
async function inboxOf(timesMs: number[]) {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const store = await testStore(prefix);
  const logs = testLogs(store, { inbox: 5_000 });
  await account(store, 'bob');
  const ids = timesMs.map((msecs) => uuidv7({ msecs }));
  for (const [n, id] of ids.entries()) {
    const from = `x${n % 3}`;
    await logs.direct(directChannel(from, 'bob'), { ...draft(from, `${n}`), id: encodeId(id)! });
  }
  return { prefix, store, logs, ids };
}

test.each([
  ['in order', (n: number) => n * 1_000],
  ['all in the same millisecond', () => 0],
  ['of a clock that steps back by an hour', (n: number) => n * 1_000 - (n >= 60 ? HOUR_MS : 0)],
  ['of a clock that steps forward by an hour', (n: number) => n * 1_000 + (n >= 60 ? HOUR_MS : 0)],
  ['of two nodes that are an hour apart', (n: number) => n * 1_000 + (n % 2) * HOUR_MS],
  ['of a clock that runs backwards', (n: number) => -n * 60_000],
  ['with one far in the future', (n: number) => (n === 20 ? 10_000 * HOUR_MS : n * 1_000)],
])('every message is found by its id, with times %s', async (_, offsetAt) => {
  const count = 120;
  const timesMs = Array.from({ length: count }, (__, n) => START_MS + offsetAt(n));
  const { logs, ids } = await inboxOf(timesMs);
  for (const [n, id] of ids.entries()) {
    const part = await logs.mailbox('bob', id, 1);
    const next = part!.messages.map((each) => JSON.parse(each).id);
    expect(next).toEqual(ids.slice(n + 1, n + 2));
  }
  for (const msecs of [...timesMs, START_MS - 10 * HOUR_MS, START_MS + 10 * HOUR_MS]) {
    const unknown = uuidv7({ msecs });
    expect(await logs.mailbox('bob', unknown, 1)).toBeUndefined();
    expect(await logs.ack('bob', 's', unknown)).toBeUndefined();
  }
  for (const [n, id] of ids.entries()) expect(await logs.ack('bob', 's', id)).toBe(count - 1 - n);
});

test('finding a message looks at a number of entries that does not grow with the inbox', async () => {
  const minute = 60_000;
  const count = 1_000;
  const timesMs = Array.from({ length: count }, (_, n) => START_MS + n * minute);
  timesMs[500]! -= 5 * minute; // from now on, ids may be five minutes out of order
  const { prefix, store, logs, ids } = await inboxOf(timesMs);
  const monitor = await watchCommands(store, prefix);
  // A binary search, what lies within five minutes of the message, one chunk of 64, and a page of one message.
  const most = Math.ceil(Math.log2(count)) + 10 + 2 * 64 + 10;
  for (const id of [ids[0]!, ids[499]!, ids[500]!, ids[999]!, uuidv7({ msecs: timesMs[700]! })]) {
    const commands = await monitor.during(() => logs.mailbox('bob', id, 1));
    expect(entriesLookedAt(commands)).toBeLessThanOrEqual(most);
  }
  const commands = await monitor.during(() => logs.ack('bob', 's', ids[999]!));
  expect(entriesLookedAt(commands)).toBeLessThanOrEqual(most);
});

test('an unknown id is looked for only among entries as far apart as ids have been out of order', async () => {
  const tenMinutes = 600_000;
  const count = 700;
  const timesMs = Array.from({ length: count }, (_, n) => START_MS + n * tenMinutes);
  timesMs[200]! += 24 * HOUR_MS; // from now on, ids may be a day out of order
  const { prefix, store, logs } = await inboxOf(timesMs);
  const monitor = await watchCommands(store, prefix);
  const most = Math.ceil(Math.log2(count)) + (2 * 24 * HOUR_MS) / tenMinutes + 2 * 64;
  for (const index of [0, 200, 350]) {
    const unknown = uuidv7({ msecs: timesMs[index]! });
    const read = await monitor.during(() => logs.mailbox('bob', unknown, 1));
    expect(entriesLookedAt(read)).toBeLessThanOrEqual(most);
    const ack = await monitor.during(() => logs.ack('bob', 's', unknown));
    expect(entriesLookedAt(ack)).toBeLessThanOrEqual(most);
  }
});
