/** Several nodes on one Redis: they share nothing else. */
import { expect, inject, test } from 'vitest';
import { JWT_SECRET, listen, login, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { within } from '../../kit/patience.ts';
import { startProcess } from '../../kit/process.ts';
import { cutSubscribers, testStore } from '../../kit/store.ts';

test('a message posted on one node reaches the streams of the other, in the same order', async () => {
  const one = await startNode();
  const two = await startNode({}, { prefix: one.prefix });
  const [alice, bob] = [await person(one, 'alice'), await person(two, 'bob')];
  const streams = [await listen(alice), await listen(bob), await listen(bob, { node: one })];
  const carol = await person(one, 'carol');
  await Promise.all(
    Array.from({ length: 50 }, (_, n) => {
      const from = { ...carol, node: n % 2 ? one : two };
      return Promise.all([say(from, `b${n}`), tell(from, 'bob', `d${n}`)]);
    }),
  );
  await until(
    'all messages arrive',
    () =>
      streams[0]!.messages().length === 50 &&
      streams.slice(1).every((each) => each.messages().length === 100),
  );
  for (const stream of streams) {
    const seqs = stream
      .messages()
      .filter(({ kind }) => kind === 'broadcast')
      .map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
  }
  for (const stream of streams.slice(1)) {
    const seqs = stream
      .messages()
      .filter(({ kind }) => kind === 'dm')
      .map(({ seq }) => seq);
    expect(seqs).toEqual(Array.from({ length: 50 }, (_, n) => n + 1));
  }
});

test('an id from one node resumes on another', async () => {
  const one = await startNode();
  const two = await startNode({}, { prefix: one.prefix });
  const [alice, bob] = [await person(one, 'alice'), await person(one, 'bob')];
  for (let n = 0; n < 10; n += 1) {
    const stream = await listen(bob, { node: n % 2 ? one : two });
    await Promise.all([say(alice, `b${n}`), tell(alice, 'bob', `d${n}`)]);
    await until('both', () => stream.messages().length >= 2);
    stream.close();
    await say(alice, `missed ${n}`);
    const again = await listen(bob, { node: n % 2 ? two : one, lastEventId: stream.lastEventId! });
    expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false });
    expect((await again.next('broadcast')).data.text).toBe(`missed ${n}`);
    const { id } = again.messages()[0];
    await call(one, 'ackMailbox', { token: bob.token, body: { upTo: again.lastEventId } });
    expect(id).toBeDefined();
    again.close();
  }
});

test('a logout ends the streams and the token of its session on every node, and of no other session', async () => {
  const one = await startNode();
  const two = await startNode({}, { prefix: one.prefix });
  const bob = await person(one, 'bob');
  const phone = await login(two, 'bob');
  const stream = await listen(bob, { node: two });
  const other = await listen(phone);
  await call(one, 'logout', { token: bob.token });
  expect((await stream.next('goodbye')).data).toEqual({ kind: 'goodbye', code: 'revoked', reconnect: false });
  await until(
    'the token is rejected',
    async () => (await call(two, 'getMe', { token: bob.token })).status === 401,
  );
  expect(other.isClosed).toBe(false);
});

test('streams receive everything within seconds even if every notification is lost', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const store = await testStore(node.prefix);
  const kill = setInterval(() => void cutSubscribers(store, node.prefix), 20);
  for (let n = 0; n < 10; n += 1) {
    await say(alice, `b${n}`);
    await tell(alice, 'bob', `d${n}`);
  }
  clearInterval(kill);
  await until('all', () => stream.messages().length === 20, 12_000);
  expect(new Set(stream.messages().map(({ id }) => id)).size).toBe(20);
});

test('presence is correct within 20 s after a node was killed', async () => {
  const node = await startNode();
  const settings = { REDIS_URL: inject('redisUrl'), JWT_SECRET, KEY_PREFIX: node.prefix };
  const doomed = await startProcess(settings);
  const [alice, bob, carol] = [
    await person(node, 'alice'),
    await person(node, 'bob'),
    await person(node, 'carol'),
  ];
  const watching = await listen(alice);
  await listen({ ...bob, node: { ...node, url: doomed.url } });
  await listen({ ...carol, node: { ...node, url: doomed.url } });
  await listen(carol);
  await until('all are online', () => watching.events.some(({ data }) => data.total === 3));
  const killedAt = Date.now();
  doomed.child.kill('SIGKILL');
  await until('bob is gone', () => watching.events.some(({ data }) => data.offline?.includes('bob')), 20_000);
  expect(Date.now() - killedAt).toBeLessThan(within(20_000));
  const { body } = await call(node, 'listOnline', { token: alice.token });
  expect(body.users.map(({ username }: { username: string }) => username).sort()).toEqual(['alice', 'carol']);
  const user = await call(node, 'getUser', { token: alice.token, path: { username: 'bob' } });
  expect(user.body.lastSeenAt).not.toBeNull();
});
