/** The JSON of a message is composed from the stored id, which contains the time, and the text. */
import { v4, v7 } from 'uuid';
import { expect, test } from 'vitest';
import { decodeId, encodeId, messageJson, sentAtOf } from '../../../src/store/log/entry.ts';

const DAY_MS = 86_400_000;
const sentAt = (ms: number): string => {
  const id = encodeId(v7({ msecs: ms }))!;
  return JSON.parse(messageJson('everyone', { id, from: 'alice', json: '{"text":"hi"}' }, 1)).sentAt;
};

test('an id is stored in 22 characters and read back as the same UUID', () => {
  for (let n = 0; n < 1_000; n += 1) {
    const uuid = n % 2 ? v4() : v7();
    expect(encodeId(uuid)).toHaveLength(22);
    expect(decodeId(encodeId(uuid)!)).toBe(uuid);
  }
});

test('the time of an id is exact to the millisecond', () => {
  for (const ms of [0, 1, 1_700_000_000_001, 2 ** 42 + 63, 2 ** 48 - 1])
    expect(sentAtOf({ id: encodeId(v7({ msecs: ms }))! })).toBe(ms);
});

test('the time of a message is the same as by Date, in whatever order messages come', () => {
  const start = Date.UTC(2026, 11, 31, 23, 59, 58, 990);
  const times = Array.from({ length: 2_000 }, (_, n) => start + n * 17);
  const scattered = times.map((ms, n) => ms - ((n * 7_919) % 4_000) * DAY_MS);
  for (const ms of [...times, ...times.toReversed(), ...scattered, 0, 59_999, 60_000])
    expect(sentAt(ms)).toBe(new Date(ms).toISOString());
});

test('the fields of a message come in the order of the contract', () => {
  const uuid = v7({ msecs: 1_700_000_000_007 });
  const draft = { id: encodeId(uuid)!, from: 'bob', json: JSON.stringify({ text: 'a "quoted" \\ word' }) };
  const common = { text: 'a "quoted" \\ word', sentAt: '2023-11-14T22:13:20.007Z', seq: 9 };
  expect(messageJson('dm:alice|bob', draft, 9)).toBe(
    JSON.stringify({ id: uuid, kind: 'dm', from: 'bob', to: 'alice', ...common }),
  );
  expect(messageJson('everyone', draft, 9)).toBe(
    JSON.stringify({ id: uuid, kind: 'broadcast', from: 'bob', ...common }),
  );
});
