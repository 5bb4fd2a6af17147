// The stream against the real server, with the faults of a network in between.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createParley, type StreamState } from '../../src/client/index.ts';
import { login, person, startNode, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { freePort } from '../support/process.ts';
import { redisProxy } from '../support/proxy.ts';
import { client, createWire, hear, testClock, untilTestEnds } from '../support/wire.ts';

const password = 'correct horse battery';

/** A node behind a proxy that can cut connections; alice next to it, bob behind it. */
async function behindProxy(settings: Record<string, string> = {}) {
  const node = await startNode(settings);
  const proxy = await redisProxy(node.url);
  const url = proxy.url.replace('redis:', 'http:');
  const alice = await client(node, 'alice');
  const [wire, clock] = [createWire(), testClock()];
  const bob = await client({ url }, 'bob', { ...wire, clock });
  const states: StreamState[] = [];
  const { signal } = untilTestEnds();
  const stream = bob.events({ signal, onState: (state) => void states.push(state) });
  const heard = hear(stream);
  await heard.kind('ready');
  return { node, proxy, url, alice, bob, wire, clock, stream, heard, states };
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

test('connections that break again and again lose nothing and bring nothing twice', async () => {
  const { alice, proxy, heard, states } = await behindProxy();
  for (const text of numbers(1, 60)) {
    await alice[Number(text) % 2 ? 'sendBroadcast' : 'sendDirect'](
      ...((Number(text) % 2 ? [text] : ['bob', text]) as [string, string]),
    );
    if (Number(text) % 12 === 0) proxy.cut();
  }
  await heard.text('59');
  await heard.text('60');
  const texts = heard.texts();
  expect(texts.filter((text) => Number(text) % 2)).toEqual(numbers(1, 60).filter((text) => Number(text) % 2));
  expect(texts.filter((text) => !(Number(text) % 2))).toEqual(
    numbers(1, 60).filter((text) => !(Number(text) % 2)),
  );
  expect(heard.kinds().filter((kind) => kind === 'ready').length).toBeGreaterThan(1);
  expect(states.map(({ kind }) => kind).slice(0, 5)).toEqual([
    'connecting',
    'open',
    'waiting',
    'connecting',
    'open',
  ]);
  expect(states[2]).toMatchObject({ because: 'broken' });
});

test('a token that expires in mid-stream is renewed, and the stream goes on where it stood', async () => {
  const { alice, heard, wire } = await behindProxy({ ACCESS_TTL_SECONDS: '2' });
  await alice.sendDirect('bob', 'before');
  await heard.text('before');
  await until(
    'the stream came back',
    () => heard.kinds().filter((kind) => kind === 'ready').length >= 3,
    15_000,
  );
  await alice.sendDirect('bob', 'after');
  await heard.text('after');
  expect(heard.texts()).toEqual(['before', 'after']);
  expect(heard.events).toContainEqual({ kind: 'goodbye', code: 'expired', reconnect: true });
  const readies = heard.events.filter((event) => event.kind === 'ready');
  expect(readies.slice(1).every(({ resumed, gap }) => resumed && !gap)).toBe(true);
  expect(wire.count('POST /v1/refresh')).toBeLessThanOrEqual(wire.count('GET /v1/events'));
});

test('a server that goes and comes back finds its readers again, and what was sent meanwhile finds them', async () => {
  const PORT = String(await freePort());
  const first = await startNode({ PORT });
  const { prefix } = first;
  const other = await startNode({}, { prefix });
  const [alice, bob] = [await client(other, 'alice'), await client(first, 'bob', { clock: testClock() })];
  const states: StreamState[] = [];
  const { signal } = untilTestEnds();
  const heard = hear(bob.events({ signal, onState: (state) => void states.push(state) }));
  await heard.kind('ready');
  await first.close();
  await alice.sendDirect('bob', 'while it was away');
  await until('bob has noticed', () => states.filter(({ kind }) => kind === 'waiting').length > 2);
  await startNode({ PORT }, { prefix });
  await heard.text('while it was away');
  expect(heard.events).toContainEqual({ kind: 'goodbye', code: 'shutdown', reconnect: true });
  const waits = states.filter((state) => state.kind === 'waiting').map(({ because }) => because);
  expect(waits[0]).toBe('shutdown');
  expect(waits[1]).toMatchObject({ code: 'unreachable' });
});

test('what the log no longer has is told with a gap, which is passed on', async () => {
  const { alice, proxy, heard } = await behindProxy({ REPLAY_LIMIT: '2' });
  proxy.refuse(true);
  for (const text of numbers(1, 5)) await alice.sendBroadcast(text);
  proxy.refuse(false);
  await heard.text('5');
  expect(heard.texts()).toEqual(['4', '5']);
  const gap = heard.events.find((event) => event.kind === 'gap');
  expect(gap).toMatchObject({ log: 'broadcasts', reason: 'replay_limit', from: 1, to: 3 });
});

// Somebody who had listened for a while could not leave: once the garbage collector had run, Node's fetch no longer
// heard that its request was aborted, and the loop waited for the next heartbeat.
test('a stream that has been open for a while ends as soon as its signal aborts', async () => {
  const bob = await client(await startNode(), 'bob');
  const stop = new AbortController();
  const heard = hear(bob.events({ signal: stop.signal }));
  await heard.kind('ready');
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  for (let round = 0; round < 5; round += 1) {
    collectGarbage();
    // What is only weakly held goes in a later turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  let hasEnded = false;
  void heard.ended.then(() => (hasEnded = true));
  await until('it has ended', () => hasEnded);
});

test('logging out ends the stream, here and in a client that has the same session', async () => {
  const node = await startNode();
  const bob = await client(node, 'bob');
  const twin = createParley({ baseUrl: node.url });
  await twin.restore(bob.session);
  const states: StreamState[] = [];
  const mine = hear(bob.events());
  const twins = hear(twin.events({ onState: (state) => void states.push(state) }));
  await Promise.all([mine.kind('ready'), twins.kind('ready')]);
  await bob.logout();
  await Promise.all([mine.ended, twins.ended]);
  expect(twins.events.at(-1)).toMatchObject({ kind: 'goodbye', code: 'revoked' });
  expect(states.at(-1)).toEqual({ kind: 'ended', reason: 'session' });
  expect(twin.session).toBeUndefined();
});

test('somebody else’s login does not inherit the stream', async () => {
  const node = await startNode();
  await client(node, 'carol');
  const parley = await client(node, 'bob');
  const heard = hear(parley.events());
  await heard.kind('ready');
  await parley.login({ username: 'carol', password });
  await heard.ended;
  const carol = hear(parley.events({ signal: untilTestEnds().signal }));
  await carol.kind('ready');
  expect(carol.events[0]).toMatchObject({ username: 'carol' });
});

test('the oldest of too many streams ends, and does not come back to push out the next', async () => {
  const node = await startNode({ MAX_STREAMS_PER_ACCOUNT: '1' });
  const bob = await client(node, 'bob');
  const { signal } = untilTestEnds();
  const [first, second] = [bob.events({ signal }), bob.events({ signal })];
  const heard = hear(first);
  await heard.kind('ready');
  await hear(second).kind('ready');
  await heard.ended;
  expect(first.state).toEqual({ kind: 'ended', reason: 'replaced' });
  expect(second.state).toEqual({ kind: 'open' });
  expect(bob.session?.username).toBe('bob');
});

test('an aborted stream ends without a word, and the server sees it go', async () => {
  const node = await startNode();
  const bob = await client(node, 'bob');
  const controller = new AbortController();
  const stream = bob.events({ signal: controller.signal });
  const heard = hear(stream);
  await heard.kind('ready');
  controller.abort();
  await heard.ended;
  expect(stream.state).toEqual({ kind: 'ended', reason: 'aborted' });
  for await (const { kind } of bob.events()) if (kind === 'ready') break;
  const alice = await person(node, 'alice');
  await until(
    'bob is offline',
    async () => !(await call(node, 'getUser', { token: alice.token, path: { username: 'bob' } })).body.online,
    10_000,
  );
});

test('a stream that begins where another ended goes on there', async () => {
  const { alice, bob, node } = await behindProxy();
  const first = bob.events({ presence: 'off' });
  await alice.sendDirect('bob', 'one');
  for await (const event of first) {
    if (event.kind === 'dm' && event.text === 'one') await alice.sendDirect('bob', 'two');
    if (event.kind === 'dm' && event.text === 'two') break;
  }
  await alice.sendDirect('bob', 'three');
  const restarted = createParley({ baseUrl: node.url });
  const { token, refreshToken } = await login(node, 'bob');
  await restarted.restore({
    id: 'x',
    username: 'bob',
    accessToken: token,
    refreshToken,
    refreshAtMs: Infinity,
    expiresAtMs: Infinity,
  });
  const lastEventId = first.lastEventId!;
  const heard = hear(restarted.events({ signal: untilTestEnds().signal, lastEventId }));
  await heard.text('three');
  expect(heard.texts(), 'the one in hand when the loop was left had not been taken').toEqual([
    'two',
    'three',
  ]);
  expect(heard.events[0]).toMatchObject({ kind: 'ready', resumed: true });
});
