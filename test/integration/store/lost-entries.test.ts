/** Redis has lost a part of a channel's log: what is left keeps its positions, and idempotency keys name the same messages. */
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { parseEntry } from '../../../src/store/log/entry.ts';
import type { LogPart } from '../../../src/store/log/log-reader.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const positions = ({ entries }: LogPart) => entries.map(({ seq }) => seq);
const ownSeqs = ({ entries }: LogPart) => entries.map(({ message }) => JSON.parse(message).seq);

test('entries keep their positions when the state of a trimmed log is lost', async () => {
  const store = await testStore();
  const logs = testLogs(store, { broadcasts: 5 });
  for (const n of numbers(1, 12)) await logs.broadcast(draft('alice', `${n}`));
  const before = await logs.read(store.keys.everyone, { count: 1 });
  await store.commands.del(store.keys.everyone.hash);
  await logs.broadcast(draft('alice', '13'));
  const part = await logs.read(store.keys.everyone, { count: 20 });
  expect(positions(part)).toEqual(numbers(9, 13));
  expect(ownSeqs(part)).toEqual(numbers(9, 13));
  expect(part.end.epoch).not.toBe(before.end.epoch);
});

/** A conversation of ten messages with keys, of which the list has lost the newest four. */
async function withoutTail() {
  const store = await testStore();
  await account(store, 'alice', 'bob');
  const [logs, channel] = [testLogs(store), directChannel('alice', 'bob')];
  const tell = (n: number) => logs.direct(channel, draft('alice', `${n}`, { key: `key${n}` }));
  for (const n of numbers(1, 10)) await tell(n);
  const keys = store.keys.direct(channel);
  await store.commands.rpop(keys.list, 4);
  return { read: () => logs.read(keys, { count: 20 }, (seq, raw) => parseEntry(seq, raw, channel)), tell };
}

test.each(['a read', 'an append'])('entries keep their positions when %s finds the tail lost', async (by) => {
  const { read, tell } = await withoutTail();
  if (by === 'a read') expect(positions(await read())).toEqual(numbers(1, 6));
  await tell(11);
  const part = await read();
  expect(positions(part)).toEqual(numbers(1, 7));
  expect(ownSeqs(part)).toEqual(numbers(1, 7));
});

test('a repeat of a message that is left is a replay, and of a lost one is stored', async () => {
  const { read, tell } = await withoutTail();
  for (const n of numbers(11, 14)) await tell(n);
  expect(positions(await read())).toEqual(numbers(1, 10));
  const repeat = async (n: number) => {
    const answer = await tell(n);
    return [answer.outcome, 'message' in answer && JSON.parse(answer.message).text];
  };
  for (const n of [1, 5, 6, 12]) expect(await repeat(n)).toEqual(['replayed', `${n}`]);
  for (const n of [7, 8, 10]) expect(await repeat(n)).toEqual(['appended', `${n}`]);
});
