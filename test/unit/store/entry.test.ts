/** How a log stores an entry. test/integration/store/entry.test.ts checks the twin in Lua against the same vectors. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  decodeId,
  encodeId,
  messageJson,
  parseEntry,
  parseInboxEntry,
  sentAtOf,
} from '../../../src/store/log/entry.ts';
import { messageOf, VECTORS } from './entry-vectors.ts';

describe.each(VECTORS)('$name', (vector) => {
  const { channel, line, type, id, uuid, mark, origin, from, json, sentAtMs } = vector;

  test('is parsed as an entry of an inbox and of a log', () => {
    const { message, ...entry } = parseInboxEntry(40, line);
    expect(entry).toEqual({ seq: 40, type, id, mark, origin, from });
    expect(message === '' ? undefined : JSON.parse(message)).toEqual(json && messageOf(vector));
    const inLog = line.slice(line.indexOf(' ', channel.length + 1) + 1);
    expect(parseEntry(40, inLog, channel)).toEqual({ ...entry, message });
  });

  test('has the id and the time of its UUID', () => {
    expect(encodeId(uuid)).toBe(id);
    expect(decodeId(id)).toBe(uuid);
    expect(sentAtOf({ id })).toBe(sentAtMs);
  });
});

test('a message is the text of the sender, byte for byte, in one line', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.uuid({ version: 7 }), (text, uuid) => {
      const json = JSON.stringify({ text });
      const message = messageJson('everyone', { id: encodeId(uuid)!, from: 'alice', json }, 3);
      expect(message).not.toMatch(/[\r\n]/);
      expect(message).toContain(json.slice(1, -1));
      expect(Object.keys(JSON.parse(message))).toEqual(['id', 'kind', 'from', 'text', 'sentAt', 'seq']);
      expect(JSON.parse(message)).toMatchObject({ id: uuid, kind: 'broadcast', from: 'alice', text, seq: 3 });
    }),
  );
});

test.each([
  '',
  'x',
  '01a20795-5cc3-7418-8c86-0000deadbee',
  '01a207955cc374188c860000deadbeef',
  'AaIHlVzDdBiMhgAA3q2-7w',
])('%j is not an id', (text) => {
  expect(encodeId(text)).toBeUndefined();
});

test('text that is not an entry is an unknown one', () => {
  fc.assert(
    fc.property(fc.string(), (raw) => {
      expect(parseEntry(5, raw).type).toBe('unknown');
      expect(parseInboxEntry(5, raw).message).toBe('');
    }),
  );
});
