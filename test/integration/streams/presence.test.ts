import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { listen, login, person, startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';

const onlineOf = async (who: { node: { url: string }; token: string }): Promise<string[]> => {
  const { body } = await call(who.node, 'listOnline', { token: who.token });
  expect(body.total).toBe(body.users.length);
  return body.users.map(({ username }: { username: string }) => username).sort();
};

test('an account is online on every node from its first stream until a grace period after its last', async () => {
  const node = await startNode();
  const second = await startNode({}, { prefix: node.prefix });
  const [alice, bob] = [await person(node, 'alice'), await person(second, 'bob')];
  const watching = await listen(alice);
  expect(await onlineOf(bob)).toEqual(['alice']);
  const stream = await listen(bob);
  const came = await watching.next('presence');
  expect(came.data).toMatchObject({ online: expect.arrayContaining(['bob']), total: 2 });
  expect(came.id).toBeUndefined();
  expect(await onlineOf(alice)).toEqual(['alice', 'bob']);
  const answer = await call(node, 'login', { body: { username: 'bob', password: 'correct horse battery' } });
  expect(answer.body.online).toMatchObject({ total: 2 });
  stream.close();
  const went = await watching.next('presence', 10_000);
  expect(went.data).toEqual({ kind: 'presence', online: [], offline: ['bob'], total: 1 });
  expect(await onlineOf(alice)).toEqual(['alice']);
  const { body } = await call(node, 'getUser', { token: alice.token, path: { username: 'bob' } });
  expect(body.online).toBe(false);
  expect(Date.now() - Date.parse(body.lastSeenAt)).toBeLessThan(10_000);
});

test('a reconnect within the grace period causes no presence change, on the same node or another', async () => {
  const node = await startNode();
  const second = await startNode({}, { prefix: node.prefix });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const watching = await listen(alice);
  let stream = await listen(bob);
  await watching.next('presence');
  await watching.next('presence').catch(() => {}); // alice’s own may come apart from bob’s
  const before = watching.events.length;
  for (const where of [node, second, node]) {
    stream.close();
    await sleep(1_000);
    stream = await listen(bob, { node: where });
  }
  await sleep(6_500); // longer than the grace
  expect(watching.events.slice(before)).toEqual([]);
  expect(await onlineOf(alice)).toEqual(['alice', 'bob']);
});

test('two sessions of one account count as one online account', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const phone = await login(node, 'bob');
  const watching = await listen(alice);
  const [one] = [await listen(bob), await listen(phone)];
  await until('bob is online', async () => (await onlineOf(alice)).includes('bob'));
  one.close();
  await sleep(6_000);
  expect(await onlineOf(alice)).toEqual(['alice', 'bob']);
  expect(watching.events.flatMap(({ data }) => data.offline ?? [])).toEqual([]);
});

test('a stream gets the presence detail it asked for, and less if too many accounts are online', async () => {
  const node = await startNode({ PRESENCE_FANOUT_LIMIT: '2' });
  const people = [];
  for (const name of ['a', 'b', 'c', 'd']) people.push(await person(node, name));
  const [a, b, c, d] = people as [
    (typeof people)[0],
    (typeof people)[0],
    (typeof people)[0],
    (typeof people)[0],
  ];
  const all = await listen(a, { presence: 'all' });
  const off = await listen(b, { presence: 'off' });
  const counting = await listen(c, { presence: 'count' });
  await until('three are counted', () => counting.events.some(({ data }) => data.total === 3));
  await until('the total of three arrives', () => all.events.some(({ data }) => data.total === 3));
  const late = await listen(d);
  expect(late.events[0]!.data.presence).toBe('count');
  await until('four are counted', () => counting.events.some(({ data }) => data.total === 4));
  for (const { kind, data } of counting.events)
    if (kind === 'presence') expect(Object.keys(data)).toEqual(['kind', 'total']);
  await until('the total of four arrives', () => all.events.some(({ data }) => data.total === 4));
  expect(all.events.find(({ kind, data }) => kind === 'presence' && data.total === 4)!.data).toEqual({
    kind: 'presence',
    total: 4,
  });
  expect(all.events[0]!.data.presence).toBe('all');
  expect(off.events.map(({ kind }) => kind)).toEqual(['ready']);
});

test('every online account is listed once, whatever the page size', async () => {
  const node = await startNode();
  const names = Array.from({ length: 30 }, (_, n) => `user${n}`);
  const people = [];
  for (const name of names) people.push(await person(node, name));
  await Promise.all(people.map((each) => listen(each, { presence: 'off' })));
  for (const limit of [1, 7, 30, 100]) {
    const found: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const query: Record<string, string | number> = cursor === null ? { limit } : { limit, cursor };
      const { body } = await call(node, 'listOnline', { token: people[0]!.token, query });
      expect(body.users.length).toBeLessThanOrEqual(limit);
      found.push(...body.users.map(({ username }: { username: string }) => username));
      cursor = body.nextCursor;
      pages += 1;
    } while (cursor !== null && pages < 100);
    expect(found.sort()).toEqual([...names].sort());
  }
});
