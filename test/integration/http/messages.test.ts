import { describe, expect, test } from 'vitest';
import { listen, login, type Person, person, say, startNode, tell } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';

test('sending a broadcast returns it as it is stored, with the next seq', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const first = await say(alice, 'hello');
  expect(first).toMatchObject({
    status: 201,
    body: { kind: 'broadcast', from: 'alice', text: 'hello', seq: 1 },
  });
  const second = await say(bob, 'hello yourself');
  expect(second.body).toMatchObject({ from: 'bob', seq: 2 });
  const { body } = await call(node, 'listBroadcasts', { token: alice.token });
  expect(body).toEqual({ messages: [first.body, second.body], hasMore: false });
});

test('a direct message is in both histories and in the mailbox of the recipient only', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const { status, body: message } = await tell(alice, 'Bob', 'lunch?');
  expect(status).toBe(201);
  expect(message).toMatchObject({ kind: 'dm', from: 'alice', to: 'bob', text: 'lunch?', seq: 1 });
  for (const [{ token }, username] of [
    [alice, 'bob'],
    [bob, 'alice'],
  ] as const) {
    const { body } = await call(node, 'listDirect', { token, path: { username } });
    expect(body).toEqual({ messages: [message], hasMore: false });
  }
  const mailboxOf = async ({ token }: Person) => (await call(node, 'getMailbox', { token })).body;
  expect(await mailboxOf(bob)).toEqual({ messages: [message], unread: 1, gap: null, hasMore: false });
  expect(await mailboxOf(alice)).toEqual({ messages: [], unread: 0, gap: null, hasMore: false });
});

test('a third account sees nothing of a conversation', async () => {
  const node = await startNode();
  const [alice, , carol] = [
    await person(node, 'alice'),
    await person(node, 'bob'),
    await person(node, 'carol'),
  ];
  await tell(alice, 'bob', 'between us');
  for (const username of ['alice', 'bob']) {
    const { body } = await call(node, 'listDirect', { token: carol.token, path: { username } });
    expect(body.messages).toEqual([]);
  }
  expect((await call(node, 'listConversations', { token: carol.token })).body.conversations).toEqual([]);
});

test('a note to oneself is stored once, is not unread, and reaches the other sessions once', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const [own, phone] = [await listen(alice), await listen(await login(node, 'alice'))];
  const { status, body: note } = await tell(alice, 'alice', 'buy milk');
  expect(status).toBe(201);
  await say(alice, 'the end');
  await phone.next('broadcast');
  expect(phone.messages().filter(({ kind }) => kind === 'dm')).toEqual([note]);
  expect(own.messages()).toEqual([]);
  const { token } = alice;
  const history = await call(node, 'listDirect', { token, path: { username: 'alice' } });
  expect(history.body.messages).toEqual([note]);
  expect((await call(node, 'getMailbox', { token })).body).toMatchObject({ messages: [], unread: 0 });
  const { body } = await call(node, 'listConversations', { token });
  expect(body.conversations).toEqual([{ with: 'alice', last: note, unread: 0 }]);
});

/** Sends a message of each kind with an idempotency key. */
const KINDS: [string, (who: Person, text: string, key: string) => Promise<CallResult>][] = [
  [
    'broadcast',
    (who, text, key) =>
      call(who.node, 'sendBroadcast', { ...who, headers: { 'Idempotency-Key': key }, body: { text } }),
  ],
  [
    'direct message',
    (who, text, key) =>
      call(who.node, 'sendDirect', {
        ...{ ...who, path: { username: 'bob' } },
        ...{ headers: { 'Idempotency-Key': key }, body: { text } },
      }),
  ],
];

describe.each(KINDS)('a %s with an idempotency key', (_, post) => {
  async function two() {
    const node = await startNode();
    const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
    return { node, alice, bob };
  }

  test('is stored once, and repeats get the same response from any node and in any session', async () => {
    const { node, alice } = await two();
    const other = await startNode({}, { prefix: node.prefix });
    const first = await post(alice, 'once', 'key-1');
    expect(first.headers).not.toHaveProperty('idempotent-replayed');
    const before = await everything(node);
    for (const who of [alice, { ...alice, node: other }]) {
      const again = await post(who, 'once', 'key-1');
      expect(again).toMatchObject({ status: 201, headers: { 'idempotent-replayed': 'true' } });
      expect(again.body).toEqual(first.body);
    }
    expect(await everything(node)).toEqual(before);
    expect((await post(await login(node, 'alice'), 'once', 'key-1')).body).toEqual(first.body);
  });

  test('is stored once when its repeats are concurrent', async () => {
    const { alice } = await two();
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(alice, 'once', 'key-1')));
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const replays = answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true');
    expect(replays).toHaveLength(7);
  });

  test('is rejected if the key was used with another text, and nothing is stored', async () => {
    const { node, alice } = await two();
    await post(alice, 'one text', 'key-1');
    const before = await everything(node);
    expectProblem(await post(alice, 'another text', 'key-1'), 'idempotency_conflict');
    expect(await everything(node)).toEqual(before);
  });

  test('is another message with another key or from another account', async () => {
    const { alice, bob } = await two();
    const ids = [];
    for (const [who, key] of [
      [alice, 'key-1'],
      [alice, 'Key-1'],
      [alice, 'key-1 '.repeat(2).trim()],
      [bob, 'key-1'],
    ] as const)
      ids.push((await post(who, 'same', key)).body.id);
    expect(new Set(ids).size).toBe(4);
  });

  test('may quote the key, and the quotes are not part of it', async () => {
    const { alice } = await two();
    const bare = await post(alice, 'once', 'key-1');
    expect((await post(alice, 'once', '"key-1"')).body).toEqual(bare.body);
  });

  test.each([1, 255])('may have a key of %i characters', async (length) => {
    const { alice } = await two();
    const key = 'k'.repeat(length);
    expect((await post(alice, 'once', key)).status).toBe(201);
    expect((await post(alice, 'once', `"${key}"`)).headers['idempotent-replayed']).toBe('true');
  });
});

test('a key belongs to one conversation, and is new in another one and for broadcasts', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  for (const name of ['bob', 'carol']) await person(node, name);
  const headers = { 'Idempotency-Key': 'key-1' };
  for (const path of ['/v1/dm/bob', '/v1/dm/carol', '/v1/dm/alice', '/v1/broadcasts']) {
    const answer = await send(node, 'POST', path, {
      token: alice.token,
      headers,
      body: { text: `to ${path}` },
    });
    expect(answer).toMatchObject({ status: 201, body: { text: `to ${path}`, seq: 1 } });
  }
});

test.each([
  ['empty', ''],
  ['only quotes', '""'],
  ['256 characters long', 'k'.repeat(256)],
  ['256 characters long in quotes', `"${'k'.repeat(256)}"`],
  ['2,000 characters long', 'k'.repeat(2_000)],
])('a key that is %s is rejected, and nothing is stored', async (_, key) => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const before = await everything(node);
  for (const path of ['/v1/broadcasts', '/v1/dm/alice']) {
    const headers = { 'Idempotency-Key': key };
    const answer = await send(node, 'POST', path, { token: alice.token, headers, body: { text: 'hi' } });
    expectProblem(answer, 'validation_failed', 'header/Idempotency-Key');
  }
  expect(await everything(node)).toEqual(before);
});
