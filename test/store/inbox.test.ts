/** The inbox against a model that keeps it all in an array: whatever happens, unread and mailbox are what they should be. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { inboxState } from '../../src/store/inboxes.ts';
import { idOf, type Position } from '../../src/store/logs.ts';
import { account, draft, testLogs, testStore } from '../support/store.ts';

const LIMIT = 6;

type Step =
  | { do: 'receive'; from: number }
  | { do: 'send' }
  | { do: 'ack'; back: number; by: 'id' | 'position' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('receive' as const), from: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('send' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('ack' as const),
      back: fc.nat(LIMIT),
      by: fc.constantFrom('id', 'position'),
    }),
  },
);

test('unread, the mailbox and the overflow are exact after any history', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: LIMIT });
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      run += 1;
      const me = `me${run}`;
      await account(store, me, 'x0', 'x1');
      const inbox = store.keys.inbox(me);
      const model: { id: string; own: boolean; from: string }[] = [];
      let acked = 0;
      for (const each of steps) {
        if (each.do === 'ack') {
          const part = await logs.read(inbox, { count: LIMIT });
          const entry = part.entries.at(-1 - each.back);
          if (!entry) continue;
          const at: Position = {
            epoch: part.head.epoch,
            seq: entry.seq,
            mark: idOf(entry.message).slice(-8),
          };
          await logs.ack(me, 's', each.by === 'id' ? idOf(entry.message) : at);
          acked = Math.max(acked, entry.seq);
        } else {
          const [from, to] = each.do === 'send' ? [me, 'x0'] : [`x${each.from}`, me];
          const sent = draft(from, 'hi', { to });
          await logs.direct(from, to, sent);
          const first = Math.max(0, model.length - LIMIT);
          const nothingUnread = !model.slice(Math.max(acked, first)).some(({ own }) => !own);
          model.push({ id: sent.id, own: each.do === 'send', from });
          if (each.do === 'send' && nothingUnread) acked = model.length;
        }
        const kept = Math.max(0, model.length - LIMIT);
        const waiting = model.slice(Math.max(acked, kept)).filter(({ own }) => !own);
        const part = await logs.read(inbox, { count: LIMIT });
        const state = inboxState(part);
        expect(state.unread).toBe(waiting.length);
        expect(state.overflowed).toBe(model.slice(acked, kept).some(({ own }) => !own));
        const mailbox = part.entries.filter(({ seq, origin }) => seq > state.acked && origin === '-');
        expect(mailbox.map(({ message }) => idOf(message))).toEqual(waiting.map(({ id }) => id));
        const senders = ['x0', 'x1', me, 'nobody'];
        expect(await logs.unreadOf(me, senders)).toEqual(
          senders.map((sender) => waiting.filter(({ from }) => from === sender).length),
        );
        expect(await store.commands.hlen(inbox.ids)).toBe(Math.min(model.length, LIMIT));
      }
    }),
    { numRuns: 60 },
  );
}, 60_000);

test('an acknowledgement never moves backwards, and one of what is not there changes nothing', async () => {
  const store = await testStore();
  const logs = testLogs(store);
  await account(store, 'bob');
  const ids = [];
  for (const text of ['1', '2', '3']) {
    const sent = draft('alice', text, { to: 'bob' });
    await logs.direct('alice', 'bob', sent);
    ids.push(sent.id);
  }
  expect(await logs.ack('bob', 's', ids[1]!)).toBe(1);
  expect(await logs.ack('bob', 's', ids[0]!)).toBe(1);
  expect(await logs.ack('bob', 's', 'no such message')).toBeUndefined();
  const { head } = await logs.read(store.keys.inbox('bob'), { count: 0 });
  for (const wrong of [
    { ...head, epoch: 'zzzzzzzz' },
    { ...head, seq: 4 },
    { ...head, mark: '00000000' },
  ]) {
    expect(await logs.ack('bob', 's', wrong)).toBeUndefined();
  }
  expect(await logs.ack('bob', 's', head)).toBe(0);
});

test('an acknowledgement of what the inbox no longer keeps answers what is left, and changes nothing', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: 3 });
  await account(store, 'bob');
  for (const text of ['1', '2', '3', '4', '5'])
    await logs.direct('alice', 'bob', draft('alice', text, { to: 'bob' }));
  const { head } = await logs.read(store.keys.inbox('bob'), { count: 0 });
  expect(await logs.ack('bob', 's', { ...head, seq: 1 })).toBe(3);
  expect(inboxState(await logs.read(store.keys.inbox('bob'), { count: 0 }))).toMatchObject({
    acked: 0,
    unread: 3,
  });
});

test('an acknowledgement of many is made in steps, each of which holds by itself', async () => {
  const store = await testStore();
  const logs = testLogs(store, { inbox: 2_000 });
  await account(store, 'bob');
  const ids: string[] = [];
  for (let n = 0; n < 1_200; n += 1) {
    const sent = draft(`x${n % 3}`, 'hi', { to: 'bob' });
    ids.push(sent.id);
    await logs.direct(`x${n % 3}`, 'bob', sent);
  }
  const hangsUp = new AbortController();
  hangsUp.abort();
  await expect(logs.ack('bob', 's', ids[1_099]!, hangsUp.signal)).rejects.toThrow(/abort/i);
  expect(await logs.unreadOf('bob', ['x0', 'x1', 'x2'])).toEqual([233, 233, 234]);
  expect(await logs.ack('bob', 's', ids[499]!)).toBe(700);
  expect(await logs.ack('bob', 's', ids[1_099]!)).toBe(100);
  expect(await logs.unreadOf('bob', ['x0', 'x1', 'x2'])).toEqual([33, 33, 34]);
});
