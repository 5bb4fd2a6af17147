// The queue of messages that the server has not stored yet.
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { createOutbox, EVERYBODY, type Outcome } from '../../../clients/cli/src/outbox.ts';
import { sharedNode, until } from '../../kit/app.ts';
import { client, createWire, problem, testClock } from '../../kit/wire.ts';

const node = sharedNode();
const SEND = 'POST /v1/broadcasts';

async function outboxOf(username: string) {
  const wire = createWire();
  const parley = await client(node(), username, { ...wire, clock: testClock() });
  const outbox = createOutbox(parley, randomUUID);
  const outcomes: Outcome[] = [];
  outbox.onOutcome((outcome) => {
    outcomes.push(outcome);
    if (outcome.kind === 'waiting') setImmediate(outbox.retryNow);
  });
  const stored = async () => {
    const { data } = await parley.listBroadcasts();
    return data?.messages.filter(({ from }) => from === username).map(({ text }) => text);
  };
  return { wire, outbox, outcomes, stored };
}

test('stores a message once, however often its response is lost', async () => {
  const { wire, outbox, outcomes, stored } = await outboxOf('alice');
  const lost = async (request: Request, forward: (request: Request) => Promise<Response>) => {
    await forward(request);
    throw new TypeError('cut');
  };
  wire.intercept(SEND, lost, 7); // the client itself gives up after three
  outbox.send({ to: EVERYBODY, text: 'once' });
  await until('it was sent', () => outcomes.at(-1)?.kind === 'sent');
  expect(wire.count(SEND)).toBe(8);
  expect(outcomes.map(({ kind }) => kind)).toEqual(['waiting', 'waiting', 'sent']);
  expect(await stored()).toEqual(['once']);
});

test('sends queued messages in order', async () => {
  const { wire, outbox, outcomes, stored } = await outboxOf('bob');
  wire.intercept(SEND, () => problem(503, 'unavailable', { 'Retry-After': '1' }), 4);
  for (const text of ['one', 'two', 'three']) outbox.send({ to: EVERYBODY, text });
  expect(outbox.waiting().map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  await until('all are sent', () => outbox.waiting().length === 0);
  expect(outcomes.at(-1)?.kind).toBe('sent');
  expect(await stored()).toEqual(['one', 'two', 'three']);
});

test('returns a message that the server rejects, and sends the next one', async () => {
  const { outbox, outcomes, stored } = await outboxOf('carol');
  outbox.send({ to: 'nobody-there', text: 'hello?' });
  outbox.send({ to: EVERYBODY, text: 'anyway' });
  await until('both are done', () => outcomes.length === 2);
  expect(outcomes[0]).toMatchObject({
    kind: 'refused',
    outgoing: { text: 'hello?' },
    problem: { code: 'unknown_user' },
  });
  expect(await stored()).toEqual(['anyway']);
});

test('close returns the unsent messages', async () => {
  const { wire, outbox } = await outboxOf('dave');
  wire.intercept(SEND, () => problem(503, 'unavailable', { 'Retry-After': '30' }), 1);
  outbox.send({ to: EVERYBODY, text: 'never' });
  expect(outbox.close().map(({ text }) => text)).toEqual(['never']);
});
