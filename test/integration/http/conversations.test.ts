import { expect, test } from 'vitest';
import { type Person, person, startNode, type TestNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';

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

test('the list is empty for an account without messages', async () => {
  const node = await startNode();
  const [alice] = await people(node, 'alice');
  expect(await page(alice!)).toEqual({ conversations: [], nextCursor: null });
});

test('conversations are listed newest first, with their last message and unread count', async () => {
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

test('the pages together list every conversation once, in order', async () => {
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

test('a conversation that moves to the front between two pages is not listed twice', async () => {
  const node = await startNode();
  const [alice] = await people(node, 'alice', 'bob', 'carol', 'dave');
  for (const name of ['bob', 'carol', 'dave']) await tell(alice!, name, 'hi');
  const first = await page(alice!, { limit: 2 });
  expect(first.conversations.map((each: Listed) => each.with)).toEqual(['dave', 'carol']);
  await tell(alice!, 'carol', 'again');
  const second = await page(alice!, { limit: 2, cursor: first.nextCursor });
  expect(second.conversations.map((each: Listed) => each.with)).toEqual(['bob']);
});

test('paging continues after the last conversation of a page has moved to the front', async () => {
  const node = await startNode();
  const names = ['bob', 'carol', 'dave', 'erin', 'frank'];
  const [alice] = await people(node, 'alice', ...names);
  for (const name of names) await tell(alice!, name, 'hi');
  const first = await page(alice!, { limit: 2 });
  expect(first.conversations.map((each: Listed) => each.with)).toEqual(['frank', 'erin']);
  for (const name of ['bob', 'erin', 'frank']) await tell(alice!, name, 'again');
  const second = await page(alice!, { limit: 9, cursor: first.nextCursor });
  expect(second.conversations.map((each: Listed) => each.with)).toEqual(['dave', 'carol']);
  expect((await pages(alice!, 2)).flat()).toEqual(['frank', 'erin', 'bob', 'dave', 'carol']);
});

test('paging works for names in any script and for notes to oneself', async () => {
  const node = await startNode();
  const names = ['张三', 'हिन्दी', '1795', 'a.b-c_d', 'alice'];
  const [alice] = await people(node, 'alice', ...names.slice(0, -1));
  for (const name of names) await tell(alice!, name, 'hi');
  expect((await pages(alice!, 1)).flat()).toEqual(names.toReversed());
});

test('paging works for the longest names in a script of three bytes per letter', async () => {
  const node = await startNode();
  const names = ['张', '王', '陈'].map((letter) => letter.repeat(32));
  const [owner] = await people(node, '李'.repeat(32), ...names);
  for (const name of names) await tell(owner!, name, 'hi');
  expect(await pages(owner!, 2)).toEqual([names.toReversed().slice(0, 2), names.slice(0, 1)]);
  const { nextCursor } = await page(owner!, { limit: 1 });
  expect(nextCursor.length).toBeLessThanOrEqual(256); // the longest cursor that the contract allows
});

test('a page of conversations ends at 256 KiB too', async () => {
  const node = await startNode();
  const names = Array.from({ length: 20 }, (_, n) => `u${n}`);
  const [alice] = await people(node, 'alice');
  for (const name of names) await people(node, name); // concurrently they would overflow the password queue
  for (const name of names) await tell(alice!, name, '😀'.repeat(4_000));
  const answer = await call(node, 'listConversations', { token: alice!.token, query: { limit: 100 } });
  expect(Buffer.byteLength(answer.text)).toBeLessThanOrEqual(256 * 1024 + 2_000);
  expect(answer.body.conversations.length).toBe(16);
  expect((await pages(alice!, 100)).flat()).toEqual(names.toReversed());
});

test.each([
  'garbage',
  '-',
  '1',
  '1-',
  '-1',
  '1-1-1',
  '1--1',
  `${'9'.repeat(17)}-0`,
  '1.1',
  '1..Ym9i',
  'x.x.Y/9i',
  '1.1.Ym9i.1',
  '1-9999999',
  ' 1-1',
])('rejects the cursor %j', async (cursor) => {
  const node = await startNode();
  const [alice] = await people(node, 'alice');
  const answer = await call(node, 'listConversations', { token: alice!.token, query: { cursor } });
  expectProblem(answer, 'validation_failed', 'query/cursor');
});
