import { expect, test } from 'vitest';
import { type Person, person, startNode, type TestNode, tell } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { expectProblem } from '../support/http.ts';
import { testStore } from '../support/store.ts';

type Listed = { with: string; last: { text: string }; unread: number };

const page = async ({ node, token }: Person, query: Record<string, string | number> = {}) =>
  (await call(node, 'listConversations', { token, query })).body;

/** All pages, by following the cursor. */
async function pages(who: Person, limit: number): Promise<string[][]> {
  const all: string[][] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { conversations, nextCursor } = await page(who, { limit, ...(cursor && { cursor }) });
    all.push(conversations.map((each: Listed) => each.with));
    cursor = nextCursor;
  }
  return all;
}

async function people(node: TestNode, ...names: string[]): Promise<Person[]> {
  return Promise.all(names.map((name) => person(node, name)));
}

test('who has talked with nobody has no conversations', async () => {
  const node = await startNode();
  const [alice] = await people(node, 'alice');
  expect(await page(alice!)).toEqual({ conversations: [], nextCursor: null });
});

test('conversations come newest first, each with its last message and how many of it are unread', async () => {
  const node = await startNode();
  const [alice, bob, carol] = await people(node, 'alice', 'bob', 'carol');
  await tell(bob!, 'alice', 'one');
  await tell(bob!, 'alice', 'two');
  await tell(carol!, 'alice', 'hello');
  await tell(alice!, 'bob', 'three');
  const listed = async () =>
    (await page(alice!)).conversations.map((each: Listed) => [each.with, each.last.text, each.unread]);
  expect(await listed()).toEqual([
    ['bob', 'three', 2],
    ['carol', 'hello', 1],
  ]);
  const { messages } = (await call(node, 'getMailbox', { token: alice!.token })).body;
  await call(node, 'ackMailbox', { token: alice!.token, body: { upTo: messages[0].id } });
  await tell(carol!, 'alice', 'are you there?');
  expect(await listed()).toEqual([
    ['carol', 'are you there?', 2],
    ['bob', 'three', 1],
  ]);
  expect((await page(bob!)).conversations.map((each: Listed) => [each.with, each.unread])).toEqual([
    ['alice', 1],
  ]);
});

test('the pages together hold every conversation once, in order', async () => {
  const node = await startNode();
  const names = ['bob', 'carol', 'dave', 'erin', 'frank'];
  const [alice] = await people(node, 'alice', ...names);
  for (const name of names) await tell(alice!, name, 'hi');
  const newestFirst = names.toReversed();
  expect(await pages(alice!, 2)).toEqual([
    newestFirst.slice(0, 2),
    newestFirst.slice(2, 4),
    newestFirst.slice(4),
  ]);
  expect(await pages(alice!, 5)).toEqual([newestFirst]);
  expect(await pages(alice!, 100)).toEqual([newestFirst]);
  expect((await pages(alice!, 1)).flat()).toEqual(newestFirst);
});

test.each([1, 2, 3, 4])(
  'none is lost or doubled where several share one moment, with pages of %i',
  async (limit) => {
    const node = await startNode();
    const names = ['bob', 'carol', 'dave', 'erin', 'frank'];
    const [alice] = await people(node, 'alice', ...names);
    for (const name of names) await tell(alice!, name, 'hi');
    const { commands, keys } = await testStore(node.prefix);
    const at = { bob: 3_000, carol: 2_000, dave: 2_000, erin: 2_000, frank: 1_000 };
    await commands.hset(keys.inbox('alice').conversations, at);
    expect((await pages(alice!, limit)).flat()).toEqual(names);
  },
);

test('a conversation that moves up while one pages through is not given twice', async () => {
  const node = await startNode();
  const [alice] = await people(node, 'alice', 'bob', 'carol', 'dave');
  for (const name of ['bob', 'carol', 'dave']) await tell(alice!, name, 'hi');
  const first = await page(alice!, { limit: 2 });
  expect(first.conversations.map((each: Listed) => each.with)).toEqual(['dave', 'carol']);
  await tell(alice!, 'carol', 'again');
  const second = await page(alice!, { limit: 2, cursor: first.nextCursor });
  expect(second.conversations.map((each: Listed) => each.with)).toEqual(['bob']);
});

test.each(['garbage', '-', '1', '1-', '-1', '1-1-1', '1--1', `${'9'.repeat(17)}-0`, '1-9999999', ' 1-1'])(
  'the cursor %j is none of ours',
  async (cursor) => {
    const node = await startNode();
    const [alice] = await people(node, 'alice');
    const answer = await call(node, 'listConversations', { token: alice!.token, query: { cursor } });
    expectProblem(answer, 'validation_failed', 'query/cursor');
  },
);
