/**
 * Redis has lost one key of a log: its list, or the hash with its state. Nothing fails, readers learn of it by a new epoch,
 * and everything that is sent afterwards is readable.
 */
import { describe, expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { createConversationStore } from '../../../src/store/conversations.ts';
import { continuity } from '../../../src/store/log/cursor.ts';
import { decodeId, parseEntry, parseInboxEntry } from '../../../src/store/log/entry.ts';
import type { Retention } from '../../../src/store/log/log-store.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

/** The names look like the beginning of an entry. */
const [ALICE, BOB] = ['alice1m', 'bob2x'];
const CHANNEL = directChannel(ALICE, BOB);

async function setup(retention: Partial<Retention> = {}) {
  const store = await testStore();
  const { keys, commands } = store;
  const logs = testLogs(store, retention);
  await account(store, ALICE, BOB);
  const sendTo = {
    everyone: (text: string, key = '-') => logs.broadcast(draft(ALICE, text, { key })),
    channel: (text: string, key = '-') => logs.direct(CHANNEL, draft(ALICE, text, { key })),
    inbox: (text: string, key = '-') => logs.direct(CHANNEL, draft(ALICE, text, { key })),
  };
  const keysOf = { everyone: keys.everyone, channel: keys.direct(CHANNEL), inbox: keys.inbox(BOB) };
  const read = (log: keyof typeof keysOf, after?: number) =>
    logs.read(keysOf[log], { count: 500, ...(after !== undefined && { after }) }, (seq, raw) =>
      log === 'inbox'
        ? parseInboxEntry(seq, raw)
        : parseEntry(seq, raw, log === 'channel' ? CHANNEL : 'everyone'),
    );
  const conversations = createConversationStore(store, () => 'listread');
  /** Everything that reads an inbox. */
  const readInbox = async () => {
    const [mailbox, { listed }] = [
      await logs.mailbox(BOB, 0, 9),
      await conversations.page(BOB, 9, undefined),
    ];
    const unreadOf = listed.map(({ unread }) => unread);
    return { ...mailbox!.state, texts: mailbox!.messages.map((each) => JSON.parse(each).text), unreadOf };
  };
  return { keys, commands, logs, sendTo, keysOf, read, readInbox, conversations };
}

const textsOf = (part: { entries: { message: string }[] }) =>
  part.entries.map(({ message }) => JSON.parse(message).text);

test('reads and sends leave the epoch alone as long as nothing is lost', async () => {
  const { sendTo, read, readInbox, logs } = await setup({ history: 3, inbox: 3, broadcasts: 3 });
  const epochs = new Set<string>();
  for (let n = 0; n < 8; n += 1) {
    await sendTo.everyone(`${n}`);
    await sendTo.channel(`${n}`);
    await readInbox();
    for (const log of ['everyone', 'channel', 'inbox'] as const)
      epochs.add(`${log} ${(await read(log)).end.epoch}`);
    if (n === 5) await logs.ack(BOB, 's', (await read('inbox')).end);
  }
  expect(epochs.size).toBe(3);
});

describe.each(['everyone', 'channel', 'inbox'] as const)('the log of %s has lost', (log) => {
  describe.each(['list', 'hash'] as const)('its %s', (part) => {
    test.each(['read', 'sent to'])('and is first %s', async (first) => {
      const { commands, logs, sendTo, keysOf, read, readInbox } = await setup();
      for (let n = 1; n <= 5; n += 1) await sendTo[log](`old ${n}`, `key-${n}`);
      const before = await read(log);
      await commands.del(keysOf[log][part]);

      if (first === 'read') {
        for (const after of [undefined, 0, 5]) expect((await read(log, after)).entries).toEqual([]);
        await readInbox();
        const old = before.entries[2]!;
        for (const upTo of [decodeId(old.id), before.end, { ...before.end, seq: 3 }])
          await logs.ack(BOB, 's', upTo);
        expect((await read(log)).end.epoch).not.toBe(before.end.epoch);
      }
      for (let n = 1; n <= 3; n += 1) expect((await sendTo[log](`new ${n}`)).outcome).toBe('appended');

      const all = await read(log, 0);
      expect(all.end.epoch).not.toBe(before.end.epoch);
      expect(continuity(before.end, await read(log, before.end.seq - 1))).toBe('epoch');
      expect(textsOf(all).slice(-3)).toEqual(['new 1', 'new 2', 'new 3']);
      expect(all.entries.map(({ seq }) => seq)).toEqual(all.entries.map((_, index) => all.first + index));
      expect(all.entries.at(-1)).toMatchObject({ seq: all.end.seq, mark: all.end.mark });
      expect(textsOf(await read(log, all.end.seq - 1))).toEqual(['new 3']);
      if (log !== 'inbox')
        expect(all.entries.slice(-3).map(({ message }) => JSON.parse(message).seq)).toEqual(
          all.entries.slice(-3).map(({ seq }) => seq),
        );
      expect((await read(log)).end, 'reading changes nothing').toEqual(all.end);
    });

    test('and a repeat of a send returns the message that it sent', async () => {
      const { commands, sendTo, keysOf } = await setup();
      for (let n = 1; n <= 5; n += 1) await sendTo[log](`text ${n}`, `key-${n}`);
      await commands.del(keysOf[log][part]);
      for (let n = 6; n <= 8; n += 1) await sendTo[log](`text ${n}`, `key-${n}`);
      for (const time of ['first', 'second']) {
        for (let n = 1; n <= 8; n += 1) {
          const result = await sendTo[log](`text ${n}`, `key-${n}`);
          expect(JSON.parse('message' in result ? result.message : '{}').text).toBe(`text ${n}`);
          if (time === 'second' || n > 5) expect(result.outcome).toBe('replayed');
        }
      }
    });
  });
});

describe.each(['list', 'hash'] as const)('an inbox without its %s', (part) => {
  test('counts as unread only what it has', async () => {
    const { commands, logs, sendTo, keys, readInbox, read } = await setup();
    for (let n = 1; n <= 3; n += 1) await sendTo.inbox(`old ${n}`);
    await commands.del(keys.inbox(BOB)[part]);
    const unreadOf = part === 'list' ? [0] : []; // the hash is also the list of channels
    expect(await readInbox()).toMatchObject({ unread: 0, texts: [], overflowed: false, unreadOf });
    for (let n = 1; n <= 3; n += 1) await sendTo.inbox(`new ${n}`);
    const texts = ['new 1', 'new 2', 'new 3'];
    expect(await readInbox()).toMatchObject({ unread: 3, texts, overflowed: false, unreadOf: [3] });
    const { entries } = await read('inbox');
    expect(await logs.ack(BOB, 's', decodeId(entries.at(-2)!.id))).toBe(1);
    expect(await readInbox()).toMatchObject({ unread: 1, texts: ['new 3'], unreadOf: [1] });
    expect(await logs.ack(BOB, 's', decodeId(entries.at(-1)!.id))).toBe(0);
    expect(await readInbox()).toMatchObject({ unread: 0, texts: [], unreadOf: [0] });
  });

  test.each([0, 2])(
    'that was full reports an overflow only of what is sent afterwards, %i acknowledged',
    async (acked) => {
      const { commands, logs, sendTo, keys, readInbox, read } = await setup({ inbox: 3 });
      for (let n = 1; n <= 6; n += 1) await sendTo.inbox(`old ${n}`);
      if (acked) await logs.ack(BOB, 's', decodeId((await read('inbox')).entries[acked - 1]!.id));
      await commands.del(keys.inbox(BOB)[part]);
      for (let n = 1; n <= 3; n += 1) {
        await sendTo.inbox(`new ${n}`);
        expect(await readInbox()).toMatchObject({ unread: n, overflowed: false });
      }
      await sendTo.inbox('new 4');
      expect(await readInbox()).toMatchObject({
        unread: 3,
        overflowed: true,
        texts: ['new 2', 'new 3', 'new 4'],
      });
    },
  );

  test('forgets which channels were heavy', async () => {
    const { commands, logs, sendTo, keys, readInbox } = await setup({ inbox: 3 });
    await sendTo.inbox('old');
    const { heavy } = keys.inbox(BOB);
    expect(await commands.hlen(heavy)).toBe(1);
    await commands.del(keys.inbox(BOB)[part]);
    await readInbox();
    const other = directChannel('carol', BOB);
    await logs.direct(other, draft('carol', 'new'));
    expect(await commands.hkeys(heavy)).toEqual([other]);
  });
});

test('the list of channels and an acknowledgement notice a loss by themselves', async () => {
  for (const reader of ['list', 'ack']) {
    const { commands, logs, sendTo, keys, conversations, read } = await setup();
    for (let n = 1; n <= 3; n += 1) await sendTo.inbox(`${n}`);
    const { entries } = await read('inbox');
    await commands.lpop(keys.inbox(BOB).list);
    if (reader === 'ack') expect(await logs.ack(BOB, 's', decodeId(entries[1]!.id))).toBe(0);
    else expect((await conversations.page(BOB, 9, undefined)).listed).toMatchObject([{ unread: 0 }]);
  }
});

test('lost entries take no space from those that are sent afterwards', async () => {
  const bytes = 4_000;
  const { commands, sendTo, keysOf } = await setup({
    broadcastBytes: bytes,
    historyBytes: bytes,
    inboxBytes: bytes,
  });
  for (const log of ['everyone', 'channel', 'inbox'] as const) {
    for (let n = 0; n < 3; n += 1) await sendTo[log]('x'.repeat(1_000));
    await commands.del(keysOf[log].list);
    for (let n = 0; n < 3; n += 1) await sendTo[log]('x'.repeat(1_000));
    expect([log, await commands.llen(keysOf[log].list)]).toEqual([log, 3]);
  }
});

test('an inbox without its hash begins with the next message, and nothing older is stored', async () => {
  const { commands, sendTo, keysOf, readInbox } = await setup();
  const { list, hash } = keysOf.inbox;
  for (let n = 1; n <= 5; n += 1) await sendTo.inbox(`old ${n}`);
  await commands.del(hash);
  for (let n = 1; n <= 2; n += 1) await sendTo.inbox(`new ${n}`);
  expect(await commands.llen(list)).toBe(2);
  expect(await readInbox()).toMatchObject({ unread: 2, texts: ['new 1', 'new 2'], overflowed: false });
});

test('a log whose newest entry was replaced begins a new epoch when it is read', async () => {
  const { commands, sendTo, keysOf, read } = await setup();
  for (const log of ['everyone', 'channel', 'inbox'] as const) {
    for (let n = 0; n < 3; n += 1) await sendTo[log]('x');
    const before = await read(log);
    const line = (await commands.lindex(keysOf[log].list, -1))!;
    const other = draft(ALICE, '').id;
    await commands.lset(keysOf[log].list, -1, line.replace(before.entries.at(-1)!.id, other));
    const { end } = await read(log);
    expect(end).toEqual({ epoch: expect.any(String), seq: before.end.seq, mark: other.slice(-6) });
    expect(end.epoch).not.toBe(before.end.epoch);
  }
});

describe('the log of a channel has lost its newest entry, but the inboxes have it', () => {
  async function lose() {
    const { commands, logs, sendTo, keysOf, keys, readInbox, read } = await setup();
    await sendTo.channel('one');
    const { list, hash } = keysOf.channel;
    for (const key of [list, hash]) await commands.copy(key, `${key}-saved`);
    const sent = draft(ALICE, 'two');
    await logs.direct(CHANNEL, sent);
    const before = await read('inbox');
    for (const key of [list, hash]) await commands.copy(`${key}-saved`, key, 'REPLACE');
    const own = () => logs.read(keys.inbox(ALICE), { count: 9 }, parseInboxEntry);
    return { logs, sent, before, read, readInbox, own };
  }

  test('when it is sent again, it is stored again and not delivered again', async () => {
    const { logs, sent, before, read, readInbox, own } = await lose();
    expect((await logs.direct(CHANNEL, sent)).outcome).toBe('appended');
    expect(textsOf(await read('channel'))).toEqual(['one', 'two']);
    expect(await read('inbox')).toMatchObject({ end: before.end, entries: before.entries });
    expect(textsOf(await own())).toEqual(['one', 'two']);
    expect(await readInbox()).toMatchObject({ unread: 2, texts: ['one', 'two'], unreadOf: [2] });
    await logs.direct(CHANNEL, draft(ALICE, 'three'));
    expect((await read('inbox')).end).toMatchObject({ epoch: before.end.epoch, seq: 3 });
  });

  test('when another one follows, the inboxes begin a new epoch', async () => {
    const { logs, before, read, readInbox, own } = await lose();
    const ownEpoch = (await own()).end.epoch;
    expect((await logs.direct(CHANNEL, draft(ALICE, 'other'))).outcome).toBe('appended');
    expect((await read('inbox')).end.epoch).not.toBe(before.end.epoch);
    expect((await own()).end.epoch).not.toBe(ownEpoch);
    expect(await readInbox()).toMatchObject({ unread: 3, texts: ['one', 'two', 'other'], unreadOf: [3] });
  });
});
