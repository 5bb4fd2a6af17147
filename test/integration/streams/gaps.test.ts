/** A client that cannot get everything receives a gap event: never silence, never an HTTP error. */
import { expect, onTestFinished, test } from 'vitest';
import { formatCursor } from '../../../src/store/log/cursor.ts';
import { listen, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { testStore } from '../../kit/store.ts';
import { openStream } from '../../kit/stream.ts';

const textsOf = (stream: { messages(): { text: string }[] }) => stream.messages().map(({ text }) => text);

test.each([
  ['a word', 'garbage'],
  ['half a cursor', '0'],
  ['percent signs', '%00'],
  ['4,000 characters', 'x'.repeat(4_000)],
])('an id that is not a cursor (%s) yields an unreadable gap', async (_, lastEventId) => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await tell(alice, 'bob', 'in the mailbox');
  const stream = await listen(bob, { lastEventId });
  expect(stream.events[0]!.data).toMatchObject({ resumed: false, gap: true });
  const gaps = [await stream.next('gap'), await stream.next('gap')].map(({ data }) => data);
  expect(gaps).toEqual([
    { kind: 'gap', log: 'inbox', from: null, to: null, reason: 'unreadable', history: 'mailbox' },
    {
      kind: 'gap',
      log: 'broadcasts',
      from: null,
      to: null,
      reason: 'unreadable',
      history: 'broadcasts',
    },
  ]);
  await stream.next('dm');
  await say(alice, 'live');
  await stream.next('broadcast');
  expect(textsOf(stream)).toEqual(['in the mailbox', 'live']);
});

test('a cursor of another account, from the future, or of another epoch yields the mailbox, live events and a gap', async () => {
  const node = await startNode();
  const [alice, bob, carol] = [
    await person(node, 'alice'),
    await person(node, 'bob'),
    await person(node, 'carol'),
  ];
  await tell(alice, 'carol', 'carol’s');
  await tell(alice, 'bob', 'bob’s');
  await say(alice, 'old');
  const carolStream = await listen(carol);
  await carolStream.next('dm');
  const bobStream = await listen(bob);
  await bobStream.next('dm');
  const [bobInbox = '', broadcasts = ''] = bobStream.lastEventId!.split('~');
  const [epoch, , mark] = broadcasts.split('.');
  const wrong = [
    [carolStream.lastEventId!, 'inbox', 'epoch'],
    [`${bobInbox}~${epoch}.zz.${mark}`, 'broadcasts', 'future'],
    [`${bobInbox}~zzzzzzzz.1.${mark}`, 'broadcasts', 'epoch'],
    [`${bobInbox}~${epoch}.1.00000000`, 'broadcasts', 'lost'],
  ] as const;
  for (const [lastEventId, log, reason] of wrong) {
    const stream = await listen(bob, { lastEventId });
    expect(stream.events[0]!.data).toMatchObject({ resumed: false, gap: true });
    expect((await stream.next('gap')).data).toMatchObject({ log, reason, from: null });
    if (log === 'inbox') expect((await stream.next('dm')).data.text).toBe('bob’s');
    await say(alice, `live after ${reason} in ${log}`);
    expect((await stream.next('broadcast')).data.text).toBe(`live after ${reason} in ${log}`);
    expect(textsOf(stream)).not.toContain('carol’s');
    stream.close();
  }
});

test('a client that was away too long gets the newest messages and a gap for the older ones', async () => {
  const node = await startNode({ REPLAY_LIMIT: '5' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const { lastEventId } = stream;
  stream.close();
  for (let n = 1; n <= 8; n += 1) {
    await say(alice, `b${n}`);
    await tell(alice, 'bob', `d${n}`);
  }
  const again = await listen(bob, { lastEventId: lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: true });
  const gaps = [await again.next('gap'), await again.next('gap')].map(({ data }) => data);
  expect(gaps).toEqual([
    { kind: 'gap', log: 'inbox', from: 1, to: 3, reason: 'replay_limit', history: 'mailbox' },
    { kind: 'gap', log: 'broadcasts', from: 1, to: 3, reason: 'replay_limit', history: 'broadcasts' },
  ]);
  await until('the newest', () => again.messages().length === 10);
  expect(textsOf(again).sort()).toEqual(['b4', 'b5', 'b6', 'b7', 'b8', 'd4', 'd5', 'd6', 'd7', 'd8']);
  const history = await call(node, 'listBroadcasts', { token: bob.token, query: { before: 4 } });
  expect(history.body.messages.map(({ text }: { text: string }) => text)).toEqual(['b1', 'b2', 'b3']);
});

test('the replay limit does not apply to the mailbox: a new stream gets all of it', async () => {
  const node = await startNode({ REPLAY_LIMIT: '5' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (let n = 1; n <= 150; n += 1) await tell(alice, 'bob', `${n}`);
  const stream = await listen(bob);
  await until('all', () => stream.messages().length === 150);
  expect(textsOf(stream)).toEqual(Array.from({ length: 150 }, (_, n) => `${n + 1}`));
  expect(stream.events[0]!.data).toMatchObject({ gap: false, unread: 150 });
});

test('trimmed entries are reported as a gap', async () => {
  const node = await startNode({ BROADCAST_LIMIT: '3' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await say(alice, '1');
  await stream.next('broadcast');
  const { lastEventId } = stream;
  stream.close();
  for (const n of [2, 3, 4, 5, 6]) await say(alice, `${n}`);
  // A node that has just started has no entries in memory.
  const second = await startNode({ BROADCAST_LIMIT: '3' }, { prefix: node.prefix });
  const again = await listen({ ...bob, node: second }, { lastEventId: lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: true });
  expect((await again.next('gap')).data).toMatchObject({
    log: 'broadcasts',
    from: 2,
    to: 3,
    reason: 'trimmed',
  });
  await until('the rest', () => again.messages().length === 3);
  expect(textsOf(again)).toEqual(['4', '5', '6']);
});

test('an inbox overflow is reported in the stream and in the mailbox, and the conversation still has every message', async () => {
  const node = await startNode({ INBOX_LIMIT: '3' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (const n of [1, 2, 3, 4, 5]) await tell(alice, 'bob', `${n}`);
  const mailbox = await call(node, 'getMailbox', { token: bob.token });
  expect(mailbox.body).toMatchObject({
    unread: 3,
    gap: { log: 'inbox', from: 1, to: 2, reason: 'overflow', history: 'dm' },
  });
  const stream = await listen(bob);
  expect(stream.events[0]!.data).toMatchObject({ resumed: false, gap: true, unread: 3 });
  expect((await stream.next('gap')).data).toMatchObject({ log: 'inbox', from: 1, to: 2, reason: 'overflow' });
  await until('the rest', () => stream.messages().length === 3);
  expect(textsOf(stream)).toEqual(['3', '4', '5']);
  const all = await call(node, 'listDirect', { token: bob.token, path: { username: 'alice' } });
  expect(all.body.messages).toHaveLength(5);
  const last = all.body.messages.at(-1).id;
  await call(node, 'ackMailbox', { token: bob.token, body: { upTo: last } });
  expect((await call(node, 'getMailbox', { token: bob.token })).body).toMatchObject({ unread: 0, gap: null });
});

test('when Redis loses a log, open streams report a gap within seconds and continue', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await say(alice, '1');
  await tell(alice, 'bob', 'one');
  await stream.next('dm');
  const store = await testStore(node.prefix);
  const { keys } = store;
  await store.commands.del(keys.everyone.list, keys.everyone.hash);
  expect((await stream.next('gap', 8_000)).data).toMatchObject({
    log: 'broadcasts',
    reason: 'epoch',
    from: null,
  });
  await say(alice, 'a new life');
  expect((await stream.next('broadcast')).data).toMatchObject({ text: 'a new life', seq: 1 });
});

// After the gap the stream stood in the new inbox, but the id of the next broadcast still named the old position. A
// client that reconnected with it got the same gap and the whole mailbox again.
test('an id sent after a gap lies past the gap in both logs', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await tell(alice, 'bob', 'one');
  await stream.next('dm');
  const store = await testStore(node.prefix);
  const { list, hash, heavy } = store.keys.inbox('bob');
  await store.commands.del(list, hash, heavy);
  expect((await stream.next('gap', 8_000)).data).toMatchObject({ log: 'inbox', reason: 'epoch' });
  await say(alice, 'to all');
  await stream.next('broadcast');
  stream.close();
  const again = await listen(bob, { lastEventId: stream.lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false });
});

test('when a log lost its newest entries and grew again, only a client that saw the lost part gets a gap', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const early = await listen(bob);
  await say(alice, '1');
  await early.next('broadcast');
  const beforeLoss = early.lastEventId!;
  const { commands, keys } = await testStore(node.prefix);
  const { list, hash } = keys.everyone;
  for (const key of [list, hash]) await commands.copy(key, `${key}:earlier`);
  const late = await listen(bob);
  await say(alice, '2');
  await late.next('broadcast');
  const afterLoss = late.lastEventId!;
  early.close();
  late.close();
  // As if Redis had crashed and lost its last second: entry 2 is gone, and another entry has its seq.
  for (const key of [list, hash]) await commands.rename(`${key}:earlier`, key);
  const node2 = await startNode({}, { prefix: node.prefix });
  await say({ ...alice, node: node2 }, 'another 2');

  const affected = await listen({ ...bob, node: node2 }, { lastEventId: afterLoss });
  expect(affected.events[0]!.data).toMatchObject({ resumed: false, gap: true });
  expect((await affected.next('gap')).data).toMatchObject({
    log: 'broadcasts',
    reason: 'lost',
    from: null,
    to: 2,
  });
  const unaffected = await listen({ ...bob, node: node2 }, { lastEventId: beforeLoss });
  expect(unaffected.events[0]!.data).toMatchObject({ resumed: true, gap: false });
  expect((await unaffected.next('broadcast')).data.text).toBe('another 2');
});

test('the start of an empty log is a valid cursor', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const start = { epoch: '', seq: 0, mark: '' };
  expect(stream.lastEventId).toBe(formatCursor({ inbox: start, broadcasts: start }));
  stream.close();
  await say(alice, '1');
  const again = await listen(bob, { lastEventId: stream.lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false });
  expect((await again.next('broadcast')).data.text).toBe('1');
});

test.each(['', ' ', ' \t ', ',', ', '])(
  'an empty id (%j) counts as no id: the stream is new and reports no gap',
  async (empty) => {
    const node = await startNode();
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    await tell(alice, 'bob', 'hello');
    const query = { lastEventId: empty };
    for (const stream of [
      await listen(bob, { lastEventId: empty }),
      await openStream(node.url, bob.token, { query }),
    ]) {
      onTestFinished(() => stream.close());
      await stream.next('dm');
      expect(stream.events[0]!.data).toMatchObject({ kind: 'ready', resumed: false, gap: false, unread: 1 });
      expect(stream.events.map(({ kind }) => kind)).not.toContain('gap');
    }
  },
);

test('an empty id in the header does not override the one in the query', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const first = await listen(bob);
  const query = { lastEventId: first.lastEventId! };
  const again = await openStream(node.url, bob.token, { lastEventId: '', query });
  onTestFinished(() => again.close());
  expect((await again.next('ready')).data).toMatchObject({ resumed: true, gap: false });
});
