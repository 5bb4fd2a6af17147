// Malformed and rare responses: the stream's responses are scripted, everything else is a real server.
import { expect, test } from 'vitest';
import type { EventsOptions, StreamState } from '../../../clients/sdk/src/index.ts';
import { sharedNode, until } from '../../kit/app.ts';
import {
  client,
  collect,
  createWire,
  eventStream,
  eventText,
  problem,
  ready,
  testClock,
  untilTestEnds,
} from '../../kit/wire.ts';

const theNode = sharedNode();
const STREAM = 'GET /v1/events';

const dm = (text: string, more: object = {}) => ({
  ...{
    id: `id of ${text}`,
    kind: 'dm',
    from: 'alice',
    to: 'bob',
    text,
    sentAt: '2026-11-23T09:16:42.933Z',
    seq: 1,
    ...more,
  },
});
const goodbye = (code: string, reconnect: boolean): string => eventText({ kind: 'goodbye', code, reconnect });

/** Scripts one response per connection of bob's stream; the connection after the last one stays open. */
async function scripted(answers: (Response | Error)[], options: EventsOptions = {}) {
  const [wire, clock] = [createWire(), testClock()];
  const bob = await client(theNode(), 'bob', { ...wire, clock });
  const lastEventIds: (string | null)[] = [];
  for (const answer of [...answers, eventStream(ready())]) {
    wire.intercept(STREAM, (request) => {
      lastEventIds.push(request.headers.get('Last-Event-ID'));
      if (answer instanceof Error) throw answer;
      return answer;
    });
  }
  const states: StreamState[] = [];
  const { signal } = untilTestEnds();
  const stream = bob.events({
    signal,
    acknowledge: false,
    onState: (state) => void states.push(state),
    ...options,
  });
  const waits = () => states.flatMap((state) => (state.kind === 'waiting' ? [state] : []));
  return { bob, wire, clock, stream, heard: collect(stream), states, waits, lastEventIds };
}

const connections = (count: number, { wire }: { wire: { count(request: string): number } }): Promise<void> =>
  until(`${count} connections`, () => wire.count(STREAM) >= count);

test('drops duplicates within a connection and across reconnects', async () => {
  const [one, two, three] = [eventText(dm('1')), eventText(dm('2'), 'b'), eventText(dm('3'), 'c')];
  const first = eventStream(ready() + one + one + two + one, { end: true });
  const it = await scripted([first, eventStream(ready() + one + two + three)]);
  await it.heard.text('3');
  expect(it.heard.texts()).toEqual(['1', '2', '3']);
  expect(it.lastEventIds).toEqual([null, 'b']);
});

test('keeps a message of another conversation with the same text and seq', async () => {
  const it = await scripted([
    eventStream(ready() + eventText(dm('Hi')) + eventText(dm('Hi', { id: 'another', from: 'carol' }))),
  ]);
  await until('both came', () => it.heard.texts().length === 2);
});

test.each([
  ['broken JSON', 'event: dm\ndata: {"kind":"dm","id\n\n'],
  ['not an object', 'data: 7\n\ndata: null\n\ndata: "dm"\n\ndata: []\n\n'],
  ['an unknown kind', eventText({ kind: 'reaction', id: 'x' })],
  [
    'a kind named like an inherited property',
    eventText({ kind: 'constructor' }) + eventText({ kind: '__proto__' }),
  ],
  ['a message without its fields', eventText({ kind: 'dm', id: 'x' })],
  ['fields of another type', eventText(dm('x', { id: 7, text: {} }))],
  ['not an event', ': comment\n\nretry: soon\n\nwhatever\n\nid\n\nevent: dm\n\n'],
  ['other line endings', 'data: 1\r\rdata: 2\r\n\r\n'],
])('skips garbage: %s', async (_, garbage) => {
  const it = await scripted([eventStream(ready() + garbage + eventText(dm('good'), 'g'))]);
  await it.heard.text('good');
  expect(it.heard.kinds()).toEqual(['ready', 'dm']);
  expect(it.wire.count(STREAM)).toBe(1);
});

test('closes a connection whose line never ends', async () => {
  const it = await scripted([
    eventStream(`${ready()}data: ${'x'.repeat(4_100_000)}`),
    eventStream(ready() + eventText(dm('good'))),
  ]);
  await it.heard.text('good');
  expect(it.waits()).toMatchObject([{ because: 'broken' }]);
});

test.each([
  ['slow'], //
  ['shutdown'],
  ['expired'],
])('reconnects after goodbye %s', async (code) => {
  const it = await scripted([
    eventStream(ready() + eventText(dm('1'), 'a') + goodbye(code, true), { end: true }),
  ]);
  await it.heard.kind('ready', 2);
  expect(it.lastEventIds).toEqual([null, 'a']);
  expect(it.heard.kinds()).toEqual(['ready', 'dm', 'goodbye', 'ready']);
  expect(it.wire.count('POST /v1/refresh')).toBe(code === 'expired' ? 1 : 0);
});

test.each([
  ['revoked', 'session'],
  ['replaced', 'replaced'],
])('ends after goodbye %s with reason %s', async (code, reason) => {
  const it = await scripted([eventStream(ready() + goodbye(code, false), { end: true })]);
  await it.heard.ended;
  expect(it.states.at(-1)).toEqual({ kind: 'ended', reason });
  expect(it.wire.count(STREAM)).toBe(1);
  expect(it.bob.session === undefined).toBe(code === 'revoked');
});

test('pauses between connections when every one ends with goodbye expired at once', async () => {
  const expired = () => eventStream(ready() + goodbye('expired', true), { end: true });
  const it = await scripted([expired(), expired(), expired()]);
  await connections(4, it);
  expect(it.waits().map(({ because, delayMs }) => [because, delayMs])).toEqual(
    Array(3).fill(['expired', 2_000]),
  );
});

test('waits as long as retry: says, doubling after each failure, up to 30 s', async () => {
  const failures = Array.from({ length: 6 }, () => new TypeError('no network'));
  const it = await scripted([eventStream(`retry: 3210\n\n${ready()}`, { end: true }), ...failures]);
  await connections(8, it);
  const delays = it.waits().map(({ delayMs }) => delayMs);
  expect(delays).toEqual([3_210, 6_420, 12_840, 25_680, 30_000, 30_000, 30_000]);
  expect(it.clock.slept).toEqual(delays);
});

test('backs off from retry: and keeps its Last-Event-ID while the server cannot open the stream', async () => {
  const rejection = (code: string, retryMs: number) =>
    eventStream(`retry: ${retryMs}\n${goodbye(code, true)}`, { end: true });
  const it = await scripted([
    eventStream(ready() + eventText(dm('1'), 'a'), { end: true }),
    ...[rejection('unavailable', 1_000), rejection('unavailable', 1_000), rejection('unavailable', 2_000)],
    rejection('too_many_requests', 61_000),
  ]);
  await connections(6, it);
  expect(it.lastEventIds.slice(1)).toEqual(Array(5).fill('a'));
  expect(it.waits().map(({ because, delayMs }) => [because, delayMs])).toEqual([
    ['broken', 2_000],
    ...[
      ['unavailable', 2_000],
      ['unavailable', 4_000],
      ['unavailable', 16_000],
    ],
    ['too_many_requests', 61_000],
  ]);
});

test('waits as long as Retry-After says', async () => {
  const wait = (status: number, code: string) => problem(status, code, { 'Retry-After': '77' });
  const it = await scripted([wait(503, 'unavailable'), wait(429, 'too_many_requests')]);
  await it.heard.kind('ready');
  expect(it.waits().map(({ delayMs }) => delayMs)).toEqual([77_000, 77_000]);
  expect(it.waits()[0]?.because).toMatchObject({ code: 'unavailable' });
});

test('retries when a proxy’s page is returned instead of the stream', async () => {
  const page = (status: number) =>
    new Response('<html>', { status, headers: { 'Content-Type': 'text/html' } });
  const it = await scripted([page(502), page(404), page(200)]);
  await it.heard.kind('ready');
  expect(it.waits().map(({ because }) => because)).toMatchObject(Array(3).fill({ code: 'unreadable' }));
});

test('ends with the problem when the server rejects the request permanently', async () => {
  const it = await scripted([problem(404, 'not_found')]);
  await it.heard.ended;
  expect(it.states.at(-1)).toMatchObject({
    kind: 'ended',
    reason: 'refused',
    problem: { code: 'not_found' },
  });
});

test('reconnects after two heartbeats without data', async () => {
  const it = await scripted([eventStream(ready({ heartbeatMs: 40 }) + eventText(dm('1'), 'a'))]);
  await it.heard.kind('ready', 2);
  expect(it.waits()).toMatchObject([{ because: 'silent' }]);
  expect(it.lastEventIds).toEqual([null, 'a']);
});

test('reconnect() ends the wait', async () => {
  const wire = createWire();
  const bob = await client(theNode(), 'bob', wire); // and the real clock
  wire.intercept(STREAM, () => problem(503, 'unavailable', { 'Retry-After': '3600' }));
  const stream = bob.events({ signal: untilTestEnds().signal });
  const heard = collect(stream);
  await until('it waits', () => stream.state.kind === 'waiting');
  stream.reconnect();
  await heard.kind('ready');
});

test('acknowledges handled messages in one batch, but not copies of the user’s own', async () => {
  const own = dm('my own', { from: 'bob', to: 'alice' });
  const texts = Array.from({ length: 50 }, (_, index) => eventText(dm(String(index))));
  const script = ready() + texts.join('') + eventText(own) + eventText({ kind: 'presence', total: 1 });
  const acks: unknown[] = [];
  const it = await scripted([eventStream(script)], { acknowledge: true });
  it.wire.intercept('POST /v1/mailbox/ack', async (request) => {
    acks.push(await request.json());
    return Response.json({ unread: 0 });
  });
  await it.heard.kind('presence');
  await until('it is acknowledged', () => acks.length > 0);
  expect(acks).toEqual([{ upTo: 'id of 49' }]);
  expect(it.wire.count('POST /v1/mailbox/ack')).toBe(1);
});

test('does not acknowledge a message whose handler threw', async () => {
  const it = await scripted([]);
  it.wire.intercept(STREAM, () => eventStream(ready() + eventText(dm('1'), 'a') + eventText(dm('2'), 'b')));
  const acks: unknown[] = [];
  it.wire.intercept('POST /v1/mailbox/ack', async (request) => {
    acks.push(await request.json());
    return Response.json({ unread: 1 });
  });
  await connections(1, it);
  const stream = it.bob.events();
  const reading = (async () => {
    for await (const event of stream)
      if (event.kind === 'dm' && event.text === '2') throw new Error('a bug in the consumer');
  })();
  await expect(reading).rejects.toThrow('a bug in the consumer');
  await until('the message before it is acknowledged', () => acks.length > 0);
  expect(acks).toEqual([{ upTo: 'id of 1' }]);
  expect(stream.lastEventId).toBe('a');
});

test('sends a failed acknowledgement again before logging out', async () => {
  const it = await scripted(
    [eventStream(ready() + eventText(dm('1')) + eventText({ kind: 'presence', total: 1 }))],
    {
      acknowledge: true,
    },
  );
  const acks: unknown[] = [];
  it.wire.intercept('POST /v1/mailbox/ack', () => problem(503, 'unavailable', { 'Retry-After': '60' }));
  it.wire.intercept('POST /v1/mailbox/ack', async (request) => {
    acks.push(await request.json());
    return Response.json({ unread: 0 });
  });
  await until('the first attempt failed', () => it.wire.count('POST /v1/mailbox/ack') === 1);
  await it.bob.logout();
  expect(acks).toEqual([{ upTo: 'id of 1' }]);
});

test('acknowledges nothing with acknowledge: false', async () => {
  const it = await scripted([
    eventStream(ready() + eventText(dm('1')) + eventText({ kind: 'presence', total: 1 })),
  ]);
  await it.heard.kind('presence');
  await it.bob.logout(); // would send pending acknowledgements
  expect(it.wire.count('POST /v1/mailbox/ack')).toBe(0);
});
