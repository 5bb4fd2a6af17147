import { describe, expect, test } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { listen, login, type Person, person, say, startNode, type TestNode, tell } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { entriesLookedAt, watchCommands } from '../../kit/monitor.ts';
import { everything } from '../../kit/state.ts';
import { draft, testLogs, testStore } from '../../kit/store.ts';

const LONGEST = '😀'.repeat(4_000);

const mailbox = async (who: Person, query: Record<string, string | number> = {}): Promise<CallResult> =>
  call(who.node, 'getMailbox', { token: who.token, query });
const ack = async (who: Person, upTo: string): Promise<CallResult> =>
  call(who.node, 'ackMailbox', { token: who.token, body: { upTo } });
const texts = ({ body }: CallResult): string[] => body.messages.map(({ text }: { text: string }) => text);

/** Bob is offline while alice sends him these messages. */
async function withMail(...lines: string[]) {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const ids: string[] = [];
  for (const line of lines) ids.push((await tell(alice, 'bob', line)).body.id);
  return { node, alice, bob, ids };
}

test('the mailbox lists messages that arrived while its owner was offline, oldest first', async () => {
  const { node, alice, bob } = await withMail('one', 'two');
  await tell(await person(node, 'carol'), 'bob', 'three');
  await say(alice, 'a broadcast is nobody’s mail');
  const answer = await mailbox(bob);
  expect(texts(answer)).toEqual(['one', 'two', 'three']);
  expect(answer.body).toMatchObject({ unread: 3, gap: null, hasMore: false });
});

test('reading the mailbox acknowledges nothing', async () => {
  const { bob } = await withMail('one');
  await mailbox(bob);
  expect((await mailbox(bob)).body.unread).toBe(1);
});

test('the mailbox is paged by message id', async () => {
  const { bob, ids } = await withMail('1', '2', '3', '4', '5');
  const cases: [Record<string, string | number>, string[], boolean][] = [
    [{ limit: 2 }, ['1', '2'], true],
    [{ limit: 2, after: ids[1]! }, ['3', '4'], true],
    [{ limit: 2, after: ids[3]! }, ['5'], false],
    [{ limit: 5 }, ['1', '2', '3', '4', '5'], false],
    [{ limit: 4 }, ['1', '2', '3', '4'], true],
    [{ after: ids[4]! }, [], false],
  ];
  for (const [query, expected, hasMore] of cases) {
    const answer = await mailbox(bob, query);
    expect(texts(answer)).toEqual(expected);
    expect(answer.body).toMatchObject({ unread: 5, hasMore });
  }
});

test('the mailbox omits copies of messages that its owner sent', async () => {
  const { bob } = await withMail('one');
  for (const line of ['a', 'b', 'c', 'd']) await tell(bob, 'alice', line);
  await tell(await login(bob.node, 'alice'), 'bob', 'two');
  const first = await mailbox(bob, { limit: 1 });
  expect([texts(first), first.body.hasMore]).toEqual([['one'], true]);
  const second = await mailbox(bob, { limit: 1, after: first.body.messages[0].id });
  expect([texts(second), second.body.hasMore, second.body.unread]).toEqual([['two'], false, 2]);
});

describe('acknowledging', () => {
  test('a message removes it and all earlier ones from the mailbox', async () => {
    const { bob, ids } = await withMail('one', 'two', 'three');
    expect((await ack(bob, ids[1]!)).body).toEqual({ unread: 1 });
    expect(texts(await mailbox(bob))).toEqual(['three']);
  });

  test('is idempotent and never moves backwards', async () => {
    const { node, bob, ids } = await withMail('one', 'two', 'three');
    await ack(bob, ids[1]!);
    const before = await everything(node);
    for (const id of [ids[1]!, ids[0]!]) expect((await ack(bob, id)).body).toEqual({ unread: 1 });
    expect(await everything(node)).toEqual(before);
  });

  test('an event id of a stream covers everything that the stream sent up to it', async () => {
    const { bob, alice } = await withMail('one', 'two');
    const stream = await listen(bob);
    await stream.next('dm');
    await stream.next('dm');
    const upTo = stream.lastEventId!;
    await tell(alice, 'bob', 'three');
    expect((await ack(bob, upTo)).body).toEqual({ unread: 1 });
    expect(texts(await mailbox(bob))).toEqual(['three']);
    expect((await ack(bob, upTo)).body).toEqual({ unread: 1 });
    await stream.next('dm');
    expect((await ack(bob, stream.lastEventId!)).body).toEqual({ unread: 0 });
    expect((await ack(bob, upTo)).body, 'backwards').toEqual({ unread: 0 });
  });

  test('the first event of a stream changes nothing if the mailbox was empty then', async () => {
    const { bob, alice } = await withMail();
    const stream = await listen(bob);
    const { id } = stream.events[0]!;
    await tell(alice, 'bob', 'one');
    expect((await ack(bob, id!)).body).toEqual({ unread: 1 });
  });

  test('notifies the other sessions of the account, but not the session that acknowledged', async () => {
    const { bob, alice, ids } = await withMail('one', 'two');
    const [own, phone] = [await listen(bob), await listen(await login(bob.node, 'bob'))];
    await ack(bob, ids[0]!);
    expect((await phone.next('mailbox')).data).toEqual({ kind: 'mailbox', unread: 1, upTo: ids[0] });
    await say(alice, 'the end');
    await own.next('broadcast');
    expect(own.events.map(({ kind }) => kind)).not.toContain('mailbox');
  });
});

describe('acknowledging an id that is not in the inbox returns unknown_message and changes nothing', () => {
  const unknown: [string, (node: TestNode, alice: Person, bob: Person) => Promise<string> | string][] = [
    ['an unknown id', () => '01a207b1-8035-72a9-9b68-e7d70b4430e9'],
    ['garbage', () => 'garbage'],
    ['a field name', () => 'acked'],
    ['a NUL', () => '\0'],
    ['200 characters', () => '😀'.repeat(200)],
    ['a broadcast', async (_, alice) => (await say(alice, 'hi')).body.id],
    [
      'a message between other accounts',
      async (node, alice) => {
        await person(node, 'carol');
        return (await tell(alice, 'carol', 'not for bob')).body.id;
      },
    ],
    [
      'an event of another account',
      async (_, alice) => {
        await tell(alice, 'alice', 'a note');
        return (await listen(alice)).events[0]!.id!;
      },
    ],
    ['an event of another epoch of the log', () => 'aaaaaaaa.1.~0'],
    [
      'an event from the future',
      async (_, __, bob) => (await listen(bob)).events[0]!.id!.replace(/^(\w+)\.\w+\.\w*/, '$1.zz.'),
    ],
  ];
  test.each(unknown)('%s', async (_, createId) => {
    const { node, alice, bob, ids } = await withMail('one', 'two');
    await ack(bob, ids[0]!);
    const upTo = await createId(node, alice, bob);
    const before = await everything(node);
    expectProblem(await ack(bob, upTo), 'unknown_message');
    expect(await everything(node)).toEqual(before);
    expect((await mailbox(bob)).body.unread).toBe(1);
  });
});

test('rejects a page after a message that is not in the inbox', async () => {
  const { node, alice, bob } = await withMail('one');
  const { body: note } = await tell(alice, 'alice', 'a note');
  expectProblem(await mailbox(bob, { after: note.id }), 'unknown_message');
  for (const after of ['garbage', '', 'acked']) {
    const answer = await call(node, 'getMailbox', { token: bob.token, query: { after } });
    expectProblem(answer, 'validation_failed', 'query/after');
  }
});

test('a mailbox that overflowed reports the loss as a gap', async () => {
  const node = await startNode({ INBOX_LIMIT: '3' });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (const line of ['1', '2', '3', '4', '5']) await tell(alice, 'bob', line);
  const answer = await mailbox(bob);
  expect(texts(answer)).toEqual(['3', '4', '5']);
  expect(answer.body).toMatchObject({
    unread: 3,
    gap: { log: 'inbox', reason: 'overflow', from: 1, to: 2, history: 'dm' },
  });
  await ack(bob, answer.body.messages[2].id);
  expect((await mailbox(bob)).body).toEqual({ messages: [], unread: 0, gap: null, hasMore: false });
});

// Regression: each page read two entries at a time, 5,000 scripts for one message, and continued after a disconnect.
test('the cost of a page does not depend on the number of own copies in the inbox', async () => {
  const { node, alice, bob } = await withMail('one');
  const store = await testStore(node.prefix);
  const logs = testLogs(store, { inbox: 10_000 });
  const copies = async (count: number) => {
    for (let n = 0; n < count; n += 1)
      await logs.direct(directChannel('bob', 'alice'), draft('bob', LONGEST));
  };
  await copies(300);
  await tell(alice, 'bob', 'two');
  await copies(300);
  const monitor = await watchCommands(store, node.prefix);
  for (const [query, expected, hasMore] of [
    [{ limit: 1 }, ['one'], true],
    [{ limit: 2 }, ['one', 'two'], false],
    [{ limit: 1_000 }, ['one', 'two'], false],
  ] as const) {
    let page: CallResult | undefined;
    const commands = await monitor.during(async () => {
      page = await mailbox(bob, query);
    });
    expect([texts(page!), page!.body.hasMore, page!.body.unread]).toEqual([expected, hasMore, 2]);
    // Presence runs other scripts in the background.
    const ofInbox = commands.filter(
      (each) => /^evalsha$/i.test(each[0]!) && each.includes(store.keys.inbox('bob').list),
    );
    expect(ofInbox).toHaveLength(1);
    expect(entriesLookedAt(commands)).toBeLessThan(60);
  }
});

test('pages begin after the acknowledged message, even if `after` is earlier', async () => {
  const { bob, ids } = await withMail('1', '2', '3', '4', '5');
  await ack(bob, ids[2]!);
  for (const after of [ids[0]!, ids[2]!])
    expect(texts(await mailbox(bob, { after, limit: 1 }))).toEqual(['4']);
});
