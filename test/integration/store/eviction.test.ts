/** Which message makes room for another in a full inbox, and how many calls that takes. */
import { expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { decodeId } from '../../../src/store/log/entry.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const LIMIT = 10;

/**
 * An inbox of twice its limit: a message that has been read, two unread ones from the friend bob, and tombstones and unread
 * messages from the friend ann.
 */
async function behindReadFront() {
  const store = await testStore();
  const logs = testLogs(store, { inbox: LIMIT });
  await account(store, 'me', 'ann', 'bob', ...Array.from({ length: 12 }, (_, n) => `stranger${n}`));
  const send = async (from: string, to: string, text: string) => {
    const sent = draft(from, text);
    const { outcome } = await logs.direct(directChannel(from, to), sent);
    return { outcome, id: decodeId(sent.id) };
  };
  for (const friend of ['ann', 'bob']) await send('me', friend, 'hi');
  const { id } = await send('bob', 'me', 'read');
  for (const text of ['bob 1', 'bob 2']) await send('bob', 'me', text);
  for (let n = 0; n < 22; n += 1) await send('ann', 'me', `ann ${n}`);
  await logs.ack('me', 's', id);
  const texts = async () => (await logs.mailbox('me', 0, 99))!.messages.map((each) => JSON.parse(each).text);
  const length = () => store.commands.llen(store.keys.inbox('me').list);
  return { send, texts, length };
}

test("a stranger's message does not push out friends' mail behind a read front", async () => {
  const { send, texts, length } = await behindReadFront();
  const before = await length();
  expect(before).toBeGreaterThanOrEqual(2 * LIMIT);
  const friends = await texts();
  expect(friends).toEqual(expect.arrayContaining(['bob 1', 'bob 2']));
  for (let n = 0; n < 12; n += 1) {
    await send(`stranger${n}`, 'me', 'from a stranger');
    expect((await texts()).filter((text) => text !== 'from a stranger')).toEqual(friends);
  }
  expect(await length()).toBeLessThanOrEqual(before + 1);
  expect((await send('stranger0', 'me', 'rejected')).outcome).toBe('mailbox_full');
});

test("a friend's message and an own copy get in behind a read front, also after strangers' messages", async () => {
  const { send, texts, length } = await behindReadFront();
  for (const name of ['stranger0', 'stranger1', 'stranger2']) await send(name, 'me', 'from a stranger');
  for (let n = 0; n < LIMIT; n += 1) {
    expect((await send('bob', 'me', `bob again ${n}`)).outcome).toBe('appended');
    expect((await texts()).at(-1)).toBe(`bob again ${n}`);
    expect((await send('me', 'ann', 'own copy')).outcome).toBe('appended');
    expect(await length()).toBeLessThanOrEqual(3 * LIMIT);
  }
});
