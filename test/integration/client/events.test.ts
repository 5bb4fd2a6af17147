// The event stream against a real server, with network faults in between.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { createParley, type StreamState } from '../../../clients/sdk/src/index.ts';
import { login, person, startNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { freePort } from '../../kit/ports.ts';
import { redisProxy } from '../../kit/proxy.ts';
import { client, collect, createWire, testClock, untilTestEnds } from '../../kit/wire.ts';

const password = 'correct horse battery';

/** A node behind a proxy that can cut connections. Alice connects directly, bob through the proxy. */
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
  const heard = collect(stream);
  await heard.kind('ready');
  return { node, proxy, url, alice, bob, wire, clock, stream, heard, states };
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_, index) => String(from + index));

test('loses and duplicates nothing when connections keep breaking', async () => {
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

test('refreshes a token that expires during the stream, and resumes', async () => {
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

test('reconnects after a server restart and receives messages sent meanwhile', async () => {
  const PORT = String(await freePort());
  const first = await startNode({ PORT });
  const { prefix } = first;
  const other = await startNode({}, { prefix });
  const [alice, bob] = [await client(other, 'alice'), await client(first, 'bob', { clock: testClock() })];
  const states: StreamState[] = [];
  const { signal } = untilTestEnds();
  const heard = collect(bob.events({ signal, onState: (state) => void states.push(state) }));
  await heard.kind('ready');
  await first.close();
  await alice.sendDirect('bob', 'while it was down');
  await until('bob has noticed', () => states.filter(({ kind }) => kind === 'waiting').length > 2);
  await startNode({ PORT }, { prefix });
  await heard.text('while it was down');
  expect(heard.events).toContainEqual({ kind: 'goodbye', code: 'shutdown', reconnect: true });
  const waits = states.filter((state) => state.kind === 'waiting').map(({ because }) => because);
  expect(waits[0]).toBe('shutdown');
  expect(waits[1]).toMatchObject({ code: 'unreachable' });
});

test('passes on the gap that the server reports for trimmed entries', async () => {
  const { alice, proxy, heard } = await behindProxy({ REPLAY_LIMIT: '2' });
  proxy.refuse(true);
  for (const text of numbers(1, 5)) await alice.sendBroadcast(text);
  proxy.refuse(false);
  await heard.text('5');
  expect(heard.texts()).toEqual(['4', '5']);
  const gap = heard.events.find((event) => event.kind === 'gap');
  expect(gap).toMatchObject({ log: 'broadcasts', reason: 'replay_limit', from: 1, to: 3 });
});

// Regression: after a garbage collection, Node's fetch no longer observed the abort signal of its request, and the loop
// waited for the next heartbeat.
test('a long-open stream ends as soon as its signal aborts', async () => {
  const bob = await client(await startNode(), 'bob');
  const stop = new AbortController();
  const heard = collect(bob.events({ signal: stop.signal }));
  await heard.kind('ready');
  setFlagsFromString('--expose-gc');
  const collectGarbage: () => void = runInNewContext('gc');
  for (let round = 0; round < 5; round += 1) {
    collectGarbage();
    // Weak references are cleared in a later turn of the event loop.
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  stop.abort();
  let hasEnded = false;
  void heard.ended.then(() => (hasEnded = true));
  await until('it has ended', () => hasEnded);
});

test('logout ends the stream, also in another client with the same session', async () => {
  const node = await startNode();
  const bob = await client(node, 'bob');
  const twin = createParley({ baseUrl: node.url });
  await twin.restore(bob.session);
  const states: StreamState[] = [];
  const mine = collect(bob.events());
  const twinHeard = collect(twin.events({ onState: (state) => void states.push(state) }));
  await Promise.all([mine.kind('ready'), twinHeard.kind('ready')]);
  await bob.logout();
  await Promise.all([mine.ended, twinHeard.ended]);
  expect(twinHeard.events.at(-1)).toMatchObject({ kind: 'goodbye', code: 'revoked' });
  expect(states.at(-1)).toEqual({ kind: 'ended', reason: 'session' });
  expect(twin.session).toBeUndefined();
});

test('logging in as another user ends the stream of the previous one', async () => {
  const node = await startNode();
  await client(node, 'carol');
  const parley = await client(node, 'bob');
  const heard = collect(parley.events());
  await heard.kind('ready');
  await parley.login({ username: 'carol', password });
  await heard.ended;
  const carol = collect(parley.events({ signal: untilTestEnds().signal }));
  await carol.kind('ready');
  expect(carol.events[0]).toMatchObject({ username: 'carol' });
});

test('ends the oldest stream above the limit, and does not reconnect it', async () => {
  const node = await startNode({ MAX_STREAMS_PER_ACCOUNT: '1' });
  const bob = await client(node, 'bob');
  const { signal } = untilTestEnds();
  const [first, second] = [bob.events({ signal }), bob.events({ signal })];
  const heard = collect(first);
  await heard.kind('ready');
  await collect(second).kind('ready');
  await heard.ended;
  expect(first.state).toEqual({ kind: 'ended', reason: 'replaced' });
  expect(second.state).toEqual({ kind: 'open' });
  expect(bob.session?.username).toBe('bob');
});

test('ends silently when aborted, and the server marks the user offline', async () => {
  const node = await startNode();
  const bob = await client(node, 'bob');
  const controller = new AbortController();
  const stream = bob.events({ signal: controller.signal });
  const heard = collect(stream);
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

test('resumes from the lastEventId of an earlier stream', async () => {
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
  const heard = collect(restarted.events({ signal: untilTestEnds().signal, lastEventId }));
  await heard.text('three');
  expect(heard.texts(), 'the event being handled when the loop was left counts as not handled').toEqual([
    'two',
    'three',
  ]);
  expect(heard.events[0]).toMatchObject({ kind: 'ready', resumed: true });
});
