import { expect, onTestFinished, test } from 'vitest';
import { parseCursor } from '../../../src/store/log/cursor.ts';
import { listen, login, person, say, startNode, tell, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { openStream } from '../../kit/stream.ts';

test('a stream opens with the right headers, its own retry delay, and ready', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  const streams = [await listen(bob), await listen(bob), await listen(bob)];
  const [stream] = streams;
  expect(stream!.headers).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
  });
  expect(stream!.events[0]).toMatchObject({
    kind: 'ready',
    id: expect.any(String),
    data: {
      username: 'bob',
      resumed: false,
      gap: false,
      unread: 0,
      online: 1,
      presence: 'all',
      heartbeatMs: 25_000,
    },
  });
  for (const { retryMs } of streams) {
    expect(retryMs).toBeGreaterThanOrEqual(1_000);
    expect(retryMs).toBeLessThan(4_000);
  }
  expect(new Set(streams.map(({ retryMs }) => retryMs)).size).toBeGreaterThan(1);
});

test('broadcasts and direct messages arrive live, identical to the POST responses', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const broadcast = await say(alice, 'hello');
  expect((await stream.next('broadcast')).data).toEqual(broadcast.body);
  const direct = await tell(alice, 'bob', 'hi bob');
  expect((await stream.next('dm')).data).toEqual(direct.body);
});

test('a resumed stream gets what it missed from both logs once, and goes live', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  await say(alice, 'seen 1');
  await tell(alice, 'bob', 'seen 2');
  await stream.next('dm');
  stream.close();
  for (const n of [1, 2, 3]) {
    await say(alice, `missed broadcast ${n}`);
    await tell(alice, 'bob', `missed dm ${n}`);
  }
  const again = await listen(bob, { lastEventId: stream.lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: false, unread: 4 });
  await say(alice, 'live again');
  await until('all messages arrive', () => again.messages().length >= 7);
  const texts = again.messages().map(({ text }) => text);
  expect(texts.filter((text) => text.includes('broadcast'))).toEqual(
    [1, 2, 3].map((n) => `missed broadcast ${n}`),
  );
  expect(texts.filter((text) => text.includes('dm'))).toEqual([1, 2, 3].map((n) => `missed dm ${n}`));
  expect(texts).toHaveLength(7);
  expect(texts.at(-1)).toBe('live again');
});

// `lastEventId` is the name used before 0.1.0, and the one that some clients add on their own.
test.each(['after', 'lastEventId'])('the id may come in the query, as %s', async (parameter) => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  const { lastEventId } = stream;
  stream.close();
  await say(alice, 'missed');
  const query = new URLSearchParams({ [parameter]: lastEventId! });
  const response = await fetch(`${node.url}/v1/events?${query}`, {
    headers: { Authorization: `Bearer ${bob.token}` },
  });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('missed')) break;
  }
  expect(text).toContain('"resumed":true');
});

test('a new stream starts with the mailbox and with broadcasts from now on', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  await say(alice, 'before');
  const ids = [];
  for (const text of ['1', '2', '3']) ids.push((await tell(alice, 'bob', text)).body.id);
  await tell(bob, 'alice', 'my own copy is not mail');
  await call(node, 'ackMailbox', { token: bob.token, body: { upTo: ids[0] } });
  const other = await login(node, 'bob');
  const stream = await listen(other);
  expect(stream.events[0]!.data.unread).toBe(2);
  await say(alice, 'now');
  await stream.next('broadcast');
  expect(stream.messages().map(({ text }) => text)).toEqual(['2', '3', 'now']);
});

test('a sent message reaches the other sessions of the account and is not echoed to its own session', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const phone = await login(node, 'alice');
  const [laptopStream, phoneStream, bobStream] = [
    await listen(alice),
    await listen(phone),
    await listen(bob),
  ];
  await say(alice, 'to all');
  await tell(alice, 'bob', 'to bob');
  await tell(phone, 'alice', 'a note to myself');
  await laptopStream.next('dm'); // direct messages and broadcasts have no common order
  await phoneStream.next('dm');
  await say(bob, 'end');
  for (const stream of [laptopStream, phoneStream, bobStream]) {
    await until(
      'the end',
      () => stream.messages().some(({ text }) => text === 'end') || stream === bobStream,
    );
  }
  await bobStream.next('dm');
  expect(phoneStream.messages().map(({ text }) => text)).toEqual(['to all', 'to bob', 'end']);
  expect(laptopStream.messages().map(({ text }) => text)).toEqual(['a note to myself', 'end']);
  expect(bobStream.messages().map(({ text }) => text)).toEqual(['to all', 'to bob']);

  const resumed = await listen(alice, { lastEventId: laptopStream.events[0]!.id! });
  await until('the end again', () => resumed.messages().some(({ text }) => text === 'end'));
  expect(
    resumed
      .messages()
      .map(({ text }) => text)
      .sort(),
  ).toEqual(['a note to myself', 'end']);
});

test('an acknowledgement is sent to the other sessions', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const phone = await login(node, 'bob');
  const [laptopStream, phoneStream] = [await listen(bob), await listen(phone)];
  await tell(alice, 'bob', '1');
  const { body } = await tell(alice, 'bob', '2');
  await phoneStream.next('dm');
  const event = await phoneStream.next('dm');
  const answer = await call(node, 'ackMailbox', { token: phone.token, body: { upTo: event.id } });
  expect(answer.body).toEqual({ unread: 0 });
  expect((await laptopStream.next('mailbox')).data).toEqual({ kind: 'mailbox', unread: 0, upTo: body.id });
  await say(alice, 'end');
  await phoneStream.next('broadcast');
  expect(phoneStream.events.map(({ kind }) => kind)).not.toContain('mailbox');
});

test('opening too many streams replaces the oldest stream of the account', async () => {
  const node = await startNode({ MAX_STREAMS_PER_ACCOUNT: '2' });
  const bob = await person(node, 'bob');
  const [first, second] = [await listen(bob), await listen(bob)];
  await listen(bob);
  expect((await first.next('goodbye')).data).toEqual({ kind: 'goodbye', code: 'replaced', reconnect: false });
  await until('it is closed', () => first.isClosed);
  expect(second.isClosed).toBe(false);
});

test('a stream ends when its access token expires', async () => {
  const node = await startNode({ ACCESS_TTL_SECONDS: '2' });
  const bob = await person(node, 'bob');
  const stream = await listen(bob);
  expect((await stream.next('goodbye')).data).toEqual({ kind: 'goodbye', code: 'expired', reconnect: true });
  await until('it is closed', () => stream.isClosed);
});

test('a stream sends heartbeats at the interval it announces', async () => {
  const node = await startNode({ HEARTBEAT_SECONDS: '1' });
  const stream = await listen(await person(node, 'bob'));
  expect(stream.events[0]?.data.heartbeatMs).toBe(1_000);
  await until('heartbeats', () => (stream.raw.match(/\n:\n\n/g)?.length ?? 0) >= 3, 5_000);
  expect(stream.events.map(({ kind }) => kind)).not.toContain('heartbeat');
});

test('heartbeat=event sends events without an id that do not move the position', async () => {
  const node = await startNode({ HEARTBEAT_SECONDS: '1' });
  const bob = await person(node, 'bob');
  const stream = await openStream(node.url, bob.token, { presence: 'off', query: { heartbeat: 'event' } });
  onTestFinished(() => stream.close());
  const { id } = await stream.next('ready');
  await stream.next('heartbeat');
  expect((await stream.next('heartbeat')).data).toEqual({ kind: 'heartbeat' });
  expect(stream.raw).not.toMatch(/\n:\n/);
  expect(stream.lastEventId).toBe(id);
  expect(stream.raw).toContain('event: heartbeat\ndata: {"kind":"heartbeat"}\n\n');
});

test('a heartbeat mode other than comment or event is rejected', async () => {
  const node = await startNode();
  const { token } = await person(node, 'bob');
  const answer = await send(node, 'GET', '/v1/events?heartbeat=often', { token });
  expectProblem(answer, 'validation_failed', 'query/heartbeat');
});

test('wherever a replay is cut, the last received id leads to everything missed', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await listen(bob);
  stream.close();
  for (let n = 1; n <= 5; n += 1) {
    await tell(alice, 'bob', `d${n}`);
    await say(alice, `b${n}`);
  }
  const again = await listen(bob, { lastEventId: stream.lastEventId! });
  await until('all messages arrive', () => again.messages().length === 10);
  const seen = { dm: 0, broadcast: 0 };
  for (const { kind, id, data } of again.events) {
    if (kind === 'dm' || kind === 'broadcast') seen[kind] = data.seq;
    if (id === undefined) continue;
    const cursor = parseCursor(id)!;
    expect(cursor.inbox.seq).toBe(seen.dm); // nobody else wrote to bob
    expect(cursor.broadcasts.seq).toBe(seen.broadcast);
  }
});
