/** Texts are returned exactly as they were sent: in the response, the history, the mailbox and the stream. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { listen, type Person, person, say, startNode, tell } from '../kit/app.ts';
import { call } from '../kit/contract.ts';

const TEXTS = [
  '👩‍👩‍👧‍👦 🏳️‍🌈 👍🏽',
  'مرحبا بالعالم — שלום',
  '\u202eright to left\u202c and \u200fback\u200e',
  'one\rtwo',
  'one\ntwo\n\nfour\n',
  'one\r\ntwo\r\n\r\n',
  '\n\nnot only white space',
  'a\ttab',
  'a line\u2028 and a paragraph\u2029',
  'data: x\nid: y\nevent: goodbye\nretry: 1\n\n: comment',
  'event: dm\rdata: {"kind":"dm"}\r\r',
  '{"text":"a","seq":1}',
  '","from":"mallory","seq":9,"x":"',
  'entry e 1 - - {"id":"',
  '\\u0000 \\n \\ "quoted" \'single\' `tick`',
  '<script>alert(1)</script> &amp; %0a %zz $(jndi)',
  'e\u0301 is not é, ﬁ is not fi, Å is not Å',
  '\ufeffa mark in front',
  '\u00a0\u3000 space \u200b',
  '𝒳 \u{10ffff} \ufffe \uffff \ufffd',
  '__proto__ constructor toString',
  '-1 {}[]* %s %d $1 \\1',
  'x'.repeat(4_000),
  '😀'.repeat(4_000),
];

async function correspondents() {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  return { node, alice, bob, stream: await listen(bob) };
}

const textsOf = (messages: { text: string }[]): string[] => messages.map(({ text }) => text);

/** The texts in each place where a message can be read. */
async function readAll({ node, token }: Person, from: string, limit: number) {
  const query = { limit };
  const pages = await Promise.all([
    call(node, 'listBroadcasts', { token, query }),
    call(node, 'listDirect', { token, query, path: { username: from } }),
    call(node, 'getMailbox', { token, query }),
  ]);
  return pages.map(({ body }) => textsOf(body.messages));
}

test('returns awkward texts unchanged', async () => {
  const { alice, bob, stream } = await correspondents();
  for (const text of TEXTS) {
    expect((await say(alice, text)).body.text).toBe(text);
    expect((await tell(alice, 'bob', text)).body.text).toBe(text);
    expect((await stream.next('broadcast')).data.text).toBe(text);
    expect((await stream.next('dm')).data.text).toBe(text);
  }
  for (const place of await readAll(bob, 'alice', TEXTS.length)) expect(place).toEqual(TEXTS);
  const resumed = await listen(bob, { lastEventId: stream.events[0]!.id! });
  for (const text of TEXTS) expect((await resumed.next('dm')).data.text).toBe(text);
  const { body } = await call(bob.node, 'listConversations', { token: bob.token });
  expect(body.conversations[0].last.text).toBe(TEXTS.at(-1));
  expect(body.conversations[0].unread).toBe(TEXTS.length);
});

test('returns random texts unchanged', async () => {
  const { alice, bob, stream } = await correspondents();
  const awkward = fc.constantFrom(
    '\r',
    '\n',
    '\u2028',
    '\t',
    '"',
    '\\',
    ' ',
    ':',
    '{',
    '}',
    'data:',
    'id:',
    '😀',
  );
  const anything = fc.string({
    unit: fc.oneof(awkward, fc.string({ unit: 'grapheme', minLength: 1 })),
    maxLength: 60,
  });
  const allowed = anything.filter((text) => /\S/.test(text) && !/(?![\t\n\r])[\p{Cc}\p{Cs}]/u.test(text));
  const texts = fc.sample(allowed, 40);
  for (const text of texts) {
    await tell(alice, 'bob', text);
    expect((await stream.next('dm')).data.text).toBe(text);
  }
  const [, conversation, mailbox] = await readAll(bob, 'alice', texts.length);
  expect(conversation).toEqual(texts);
  expect(mailbox).toEqual(texts);
});

test('returns display names unchanged', async () => {
  const { node, alice, bob } = await correspondents();
  for (const displayName of ['👩‍🚀', 'علی', '"{}*:\\', "';DROP", 'x'.repeat(64), '😀'.repeat(64)]) {
    await call(node, 'updateMe', { token: alice.token, body: { displayName } });
    const { body } = await call(node, 'getUser', { token: bob.token, path: { username: 'alice' } });
    expect(body.displayName).toBe(displayName);
  }
});
