import { expect, test } from 'vitest';
import { listen, login, type Person, person, startNode, type TestNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { testStore } from '../../kit/store.ts';

type Online = { username: string; displayName: string; since: string };

const page = async ({ node, token }: Person, query: Record<string, string | number> = {}) =>
  (await call(node, 'listOnline', { token, query })).body;

/** All pages, by following the cursor. */
async function pages(who: Person, limit: number): Promise<string[][]> {
  const all: string[][] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const { users, nextCursor } = await page(who, { limit, ...(cursor && { cursor }) });
    all.push(users.map(({ username }: Online) => username));
    cursor = nextCursor;
  }
  return all;
}

/** Makes many accounts appear online on another node, without a stream for each. */
async function fakeOnline(node: TestNode, count: number): Promise<string[]> {
  const { commands, keys } = await testStore(node.prefix);
  const names = Array.from({ length: count }, (_, n) => `user-${n}`);
  await commands.hset(keys.heartbeats, 'n-elsewhere', 9e15);
  await Promise.all(
    names.map((name) => commands.hset(keys.online(keys.shardOf(name)), name, '1795424391329 n-elsewhere')),
  );
  return names.sort();
}

test('an account without a stream is not online', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  expect(await page(alice)).toEqual({ total: 0, users: [], nextCursor: null });
});

test('an account with streams is listed once, with its current display name', async () => {
  const node = await startNode();
  const other = await startNode({}, { prefix: node.prefix });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await listen(alice);
  await listen(await login(node, 'alice'));
  await listen(bob, { node: other });
  await call(node, 'updateMe', { token: alice.token, body: { displayName: 'Alice L.' } });
  const { total, users, nextCursor } = await page(bob);
  expect([total, nextCursor]).toEqual([2, null]);
  expect(users.map(({ username, displayName }: Online) => [username, displayName]).sort()).toEqual([
    ['alice', 'Alice L.'],
    ['bob', 'bob'],
  ]);
  for (const { since } of users) expect(Math.abs(Date.now() - Date.parse(since))).toBeLessThan(60_000);
});

test.each([1, 7, 100, 1_000])('pages of %i together list every account once', async (limit) => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const names = await fakeOnline(node, limit === 1 ? 40 : 230);
  const all = await pages(alice, limit);
  expect(all.flat().sort()).toEqual(names);
  for (const each of all.slice(0, -1)) expect(each.length).toBe(limit);
  expect((await page(alice, { limit })).total).toBe(names.length);
});

test('a login returns the number of online accounts, and at most 100 of them', async () => {
  const node = await startNode();
  await person(node, 'alice');
  await fakeOnline(node, 230);
  const logIn = () => call(node, 'login', { body: { username: 'alice', password: 'correct horse battery' } });
  // Nothing was published, as if the message had been lost: a heartbeat corrects the number.
  await until('the number is right', async () => (await logIn()).body.online.total === 230, 5_000);
  const { body } = await logIn();
  expect(body.online.users).toHaveLength(100);
});

test.each([
  ...['garbage', '0', '0-0', '0-0-0-0', '-1-0-0', '0--1-0', '100-0-0', '0-0-9999999', ' 0-0-0'],
  '0-18446744073709551616-0',
])('rejects the cursor %j', async (cursor) => {
  const node = await startNode();
  const { token } = await person(node, 'alice');
  expectProblem(
    await call(node, 'listOnline', { token, query: { cursor } }),
    'validation_failed',
    'query/cursor',
  );
});

test('a cursor beyond the last page returns an empty page', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  await fakeOnline(node, 20);
  for (const cursor of ['99-0-0', '15-0-999999'])
    expect(await page(alice, { cursor })).toEqual({ total: 20, users: [], nextCursor: null });
  expect((await page(alice, { cursor: '15-18446744073709551615-0' })).nextCursor).toBeNull();
});
