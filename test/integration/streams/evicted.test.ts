/** A full mailbox: whose messages are evicted, and how evictions are reported to clients. */
import { expect, test } from 'vitest';
import { listen, type Person, person, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { type CallResult, call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { everything } from '../../kit/state.ts';
import type { StreamClient } from '../../kit/stream.ts';

const mailbox = (who: Person, query = {}): Promise<CallResult> =>
  call(who.node, 'getMailbox', { token: who.token, query });
const ack = (who: Person, upTo: string): Promise<CallResult> =>
  call(who.node, 'ackMailbox', { token: who.token, body: { upTo } });
const texts = ({ body }: CallResult): string[] => body.messages.map(({ text }: { text: string }) => text);
const gap = (from: number, to: number) => ({
  log: 'inbox',
  reason: 'overflow',
  from,
  to,
  history: 'dm',
});

/** The events of a stream without presence. */
const messagesAndGaps = ({ events }: StreamClient): unknown[] =>
  events.flatMap(({ kind, data }) => (kind === 'gap' ? [data] : kind === 'dm' ? [data['text']] : []));

async function people(node: TestNode, ...names: string[]) {
  const all: Person[] = [];
  for (const name of names) all.push(await person(node, name));
  return all as [Person, Person, Person, Person];
}

/** Bob has alice as a friend, and strangers; his own message to her is acknowledged. */
async function bobsMailbox(limit: number, settings: Record<string, string> = {}) {
  const node = await startNode({ INBOX_LIMIT: String(limit), ...settings });
  const [bob, alice, mallory, trudy] = await people(node, 'bob', 'alice', 'mallory', 'trudy');
  await tell(bob, 'alice', 'hi');
  return { node, bob, alice, mallory, trudy };
}

async function send(from: Person, count: number, label: string): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 1; n <= count; n += 1) ids.push((await tell(from, 'bob', `${label}${n}`)).body.id);
  return ids;
}

test('a stranger who floods a mailbox evicts only their own messages', async () => {
  const { bob, alice, mallory, trudy } = await bobsMailbox(8);
  await send(alice, 3, 'a');
  await send(trudy, 1, 't');
  await send(mallory, 12, 'm');
  expect(texts(await mailbox(bob))).toEqual(['a1', 'a2', 'a3', 't1', 'm9', 'm10', 'm11', 'm12']);
  const list = await call(bob.node, 'listConversations', { token: bob.token });
  const unread = Object.fromEntries(
    list.body.conversations.map((each: { with: string; unread: number }) => [each.with, each.unread]),
  );
  expect(unread).toEqual({ alice: 3, trudy: 1, mallory: 4 });
  const conversation = await call(bob.node, 'listDirect', {
    token: bob.token,
    path: { username: 'mallory' },
  });
  expect(conversation.body.messages).toHaveLength(12);
});

test('a friend’s message evicts strangers while they hold more than a quarter, then the fullest friend', async () => {
  const { bob, alice, mallory } = await bobsMailbox(8);
  await tell(bob, 'trudy', 'hi');
  await send(mallory, 8, 'm');
  await send(alice, 10, 'a');
  expect(texts(await mailbox(bob))).toEqual(['m7', 'm8', 'a5', 'a6', 'a7', 'a8', 'a9', 'a10']);
});

test('a stranger’s message to a mailbox full of friends’ mail is rejected, and nothing is stored', async () => {
  const { node, bob, alice, mallory } = await bobsMailbox(4);
  await send(alice, 4, 'a');
  const before = await everything(node);
  expectProblem(await tell(mallory, 'bob', 'let me in'), 'mailbox_full');
  expect(await everything(node)).toEqual(before);
  const { body } = await mailbox(bob);
  await ack(bob, body.messages[0].id);
  expect((await tell(mallory, 'bob', 'now')).status).toBe(201);
});

test('a mailbox is full at its byte limit as well as at its entry limit', async () => {
  const { bob, alice, mallory } = await bobsMailbox(1_000, { INBOX_BYTES: '65536' });
  await send(alice, 3, 'a');
  for (let n = 1; n <= 8; n += 1) await tell(mallory, 'bob', `${n}${'😀'.repeat(3_900)}`);
  const remaining = texts(await mailbox(bob)).map((text) => text.replaceAll('😀', ''));
  expect(remaining).toEqual(['a1', 'a2', 'a3', '5', '6', '7', '8']);
});

test('tombstones behind a friend’s old message are limited to twice the limit: strangers are rejected, friends are not', async () => {
  const { bob, alice, mallory } = await bobsMailbox(4);
  await send(alice, 1, 'a');
  await send(mallory, 7, 'm');
  expectProblem(await tell(mallory, 'bob', 'one more'), 'mailbox_full');
  expect(texts(await mailbox(bob))).toEqual(['a1', 'm5', 'm6', 'm7']);
  await send(alice, 1, 'b');
  expect(texts(await mailbox(bob))).toEqual(['a1', 'm6', 'm7', 'b1']);
  await send(alice, 3, 'c');
  expect(texts(await mailbox(bob))).toEqual(['m7', 'c1', 'c2', 'c3']);
});

test('a new stream gets the remaining mail in order, with one gap for each evicted run', async () => {
  const { bob, alice, mallory } = await bobsMailbox(6);
  await send(alice, 1, 'a');
  await send(mallory, 4, 'm');
  await send(alice, 1, 'b');
  await send(mallory, 2, 'n');
  const page = await mailbox(bob);
  expect(page.body).toMatchObject({ unread: 6, gap: gap(3, 4) });
  expect(texts(page)).toEqual(['a1', 'm3', 'm4', 'b1', 'n1', 'n2']);
  const stream = await listen(bob);
  expect(stream.events[0]!.data).toMatchObject({ gap: true, unread: 6 });
  await until('all', () => stream.messages().length === 6);
  expect(messagesAndGaps(stream)).toEqual([
    'a1',
    { kind: 'gap', ...gap(3, 4) },
    'm3',
    'm4',
    'b1',
    'n1',
    'n2',
  ]);
});

test('a stream whose last message was evicted continues, and reports only what it missed as a gap', async () => {
  const { bob, alice, mallory } = await bobsMailbox(4);
  await send(alice, 1, 'a');
  await send(mallory, 2, 'm');
  const stream = await listen(bob);
  await until('m2', () => stream.messages().length === 3);
  const { lastEventId } = stream;
  stream.close();
  await send(mallory, 4, 'n');
  const again = await listen(bob, { lastEventId: lastEventId! });
  expect(again.events[0]!.data).toMatchObject({ resumed: true, gap: true });
  await until('the rest', () => again.messages().length === 3);
  expect(messagesAndGaps(again)).toEqual([{ kind: 'gap', ...gap(5, 5) }, 'n2', 'n3', 'n4']);
});

test('a live stream is not affected by evictions of messages it has already received', async () => {
  const { bob, alice, mallory } = await bobsMailbox(4);
  await send(alice, 1, 'a');
  const stream = await listen(bob);
  await send(mallory, 7, 'm');
  await until('all', () => stream.messages().length === 8);
  expect(messagesAndGaps(stream)).toEqual(['a1', ...[1, 2, 3, 4, 5, 6, 7].map((n) => `m${n}`)]);
});

test('the id of an evicted message can be acknowledged', async () => {
  const { bob, alice, mallory } = await bobsMailbox(4);
  await send(alice, 1, 'a');
  const [, second] = await send(mallory, 6, 'm');
  expect((await ack(bob, second!)).body).toEqual({ unread: 3 });
  expect(texts(await mailbox(bob))).toEqual(['m4', 'm5', 'm6']);
});

// The run of tombstones extends beyond one read of the stream.
test('no id lies past evicted messages that have not been reported', async () => {
  const { bob, alice, mallory } = await bobsMailbox(72);
  await send(alice, 62, 'a');
  await send(mallory, 20, 'm');
  const stream = await listen(bob, { presence: 'off' });
  await until('all', () => stream.messages().length === 72);
  let reportedTo = 63; // bob's own message, and alice's
  for (const { kind, data, id } of stream.events.slice(1)) {
    if (kind === 'gap') {
      expect(data['from']).toBe(reportedTo + 1);
      reportedTo = Number(data['to']);
    }
    const at = Number.parseInt(id?.split('.')[1] ?? '0', 36);
    if (at > 63 && at <= 73) expect(reportedTo).toBeGreaterThanOrEqual(at);
  }
  expect(reportedTo).toBe(73);
});
