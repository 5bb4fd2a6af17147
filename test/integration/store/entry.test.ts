/** The codec of entries in Lua, and entries of a later release. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createConversationList } from '../../../src/chat/conversation-list.ts';
import { createMessageHistory } from '../../../src/chat/message-history.ts';
import type { UsernameRegistry } from '../../../src/chat/username-registry.ts';
import { createAccountStore } from '../../../src/store/accounts.ts';
import { directChannel } from '../../../src/store/channels.ts';
import { createConversationStore } from '../../../src/store/conversations.ts';
import { decodeId } from '../../../src/store/log/entry.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';
import { VECTORS } from '../../unit/store/entry-vectors.ts';

const CODEC = readFileSync(new URL('../../../src/store/lua/lib/entry.lua', import.meta.url), 'utf8');

test.each(VECTORS)('Lua reads and writes the same: $name', async (vector) => {
  const store = await testStore();
  const script = `${CODEC}
    local line = ARGV[1]
    local channel, received, kind, id, seq, count, origin, key, from = string.match(line, LINE)
    local inLog = string.sub(line, #channel + #received + 3)
    local kindInLog, idInLog, seqInLog = string.match(inLog, ENTRY)
    assert(kindInLog == kind and idInLog == id and seqInLog == seq)
    local json = string.sub(line, select(2, string.find(line, LINE)) + 1)
    local place = id .. ' ' .. int(tonumber(seq)) .. ' ' .. count
    return { kind, id, mark(id), int(timeOf(id)), seq, origin, from, channel, received, json,
      channel .. ' ' .. received .. ' ' .. encode(place, origin, key, from .. ' ' .. json),
      tombstone(channel, received, id, seq, count) }`;
  const parts = (await store.commands.eval(script, 0, vector.line)) as string[];
  const { letters, id, mark, sentAtMs, seq, origin, from, channel, received, line, type, json } = vector;
  const words = [letters, id, mark, String(sentAtMs), String(seq), origin, from, channel, String(received)];
  expect(parts.slice(0, 9)).toEqual(words);
  if (json !== undefined) expect(parts[9]).toBe(json);
  if (type === 'message') expect(parts[10]).toBe(line);
  if (line.includes(' 1t ')) expect(parts[11]).toBe(line);
});

describe.each(['1e', '2m', '12m', '1Edit'])('an entry of a later release, %s,', (form) => {
  /** Three broadcasts and three direct messages to bob, one of which is in that form: the one at `index`. */
  async function logsWith(index: number) {
    const store = await testStore();
    const logs = testLogs(store);
    await account(store, 'alice', 'bob');
    const channel = directChannel('alice', 'bob');
    const ids = [];
    for (const text of ['one', 'two', 'three']) {
      const sent = draft('alice', text);
      ids.push(decodeId(sent.id));
      await logs.broadcast(draft('alice', text));
      await logs.direct(channel, sent);
    }
    for (const { list } of [store.keys.everyone, store.keys.direct(channel), store.keys.inbox('bob')]) {
      const entry = (await store.commands.lindex(list, index))!;
      await store.commands.lset(list, index, entry.replace(/(^| )1m /, `$1${form} `));
    }
    const conversations = createConversationStore(store, () => 'eeeeeeee');
    const names = { resolveOrUnknown: async (name: string) => name } as UsernameRegistry;
    const { keys } = store;
    const history = createMessageHistory({ logs, accounts: createAccountStore(store), names, keys });
    const bob = { username: 'bob', sid: 's' } as Parameters<typeof history.broadcasts>[0];
    return { logs, ids, history, bob, list: createConversationList({ conversations }) };
  }
  const textsOf = (messages: { text: string }[]) => messages.map(({ text }) => text);

  test('is left out of both histories', async () => {
    const { history, bob } = await logsWith(1);
    for (const request of [{ limit: 9 }, { limit: 9, after: 0 }]) {
      expect(textsOf((await history.broadcasts(bob, request)).messages)).toEqual(['one', 'three']);
      expect(textsOf((await history.conversation(bob, 'alice', request)).messages)).toEqual(['one', 'three']);
    }
  });

  test('is left out of the mailbox, which continues behind it', async () => {
    const { logs, ids } = await logsWith(1);
    const all = await logs.mailbox('bob', 0, 9);
    expect(textsOf(all!.messages.map((each) => JSON.parse(each)))).toEqual(['one', 'three']);
    const [first, rest] = [await logs.mailbox('bob', 0, 2), await logs.mailbox('bob', ids[1]!, 9)];
    expect([first!.messages.length, first!.hasMore, first!.scannedTo]).toEqual([1, true, 2]);
    expect(textsOf(rest!.messages.map((each) => JSON.parse(each)))).toEqual(['three']);
    expect(await logs.ack('bob', 's', ids[1]!)).toBe(1);
    expect(await logs.ack('bob', 's', ids[2]!)).toBe(0);
  });

  test('is left out of the list of conversations', async () => {
    const { list, bob } = await logsWith(2);
    expect(await list.conversations(bob, 5, undefined)).toEqual({ conversations: [], nextCursor: null });
  });
});
