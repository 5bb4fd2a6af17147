/** A message sent as `text/plain`: the body is the text. */
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadContract } from '../../../src/http/openapi.ts';
import { type Person, person, sharedNode } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem, send } from '../../kit/http.ts';

const theNode = sharedNode();
const PLAIN = { 'Content-Type': 'text/plain' };
const LIMIT = 64 * 1_024;

/** The two operations that send a message. */
const SENDS = [
  ['sendBroadcast', '/v1/broadcasts'],
  ['sendDirect', '/v1/dm/alice'],
] as const;

let session: Promise<Person> | undefined;
const theAlice = (): Promise<Person> => (session ??= person(theNode(), 'alice'));

/** Sends a note to oneself. */
async function note(body: string | Buffer, headers: Record<string, string> = PLAIN) {
  const { node, token } = await theAlice();
  return send(node, 'POST', '/v1/dm/alice', { token, headers, body });
}

describe.each(SENDS)('%s', (operationId, path) => {
  const say = async (text: string, headers: Record<string, string> = {}) => {
    const { node, token } = await theAlice();
    const inputs = { token, path: { username: 'alice' }, body: text };
    return call(node, operationId, { ...inputs, headers: { ...PLAIN, ...headers } });
  };

  test.each([
    'Back at "noon" \\o/ $HOME `id`',
    '{"text":"not JSON"}',
    'one\ntwo\r\nthree',
    '\n\tnot only white space ',
    '再见 👩‍👩‍👧‍👦',
    'a=b&c=d',
  ])('stores %j exactly as sent', async (text) => {
    expect(await say(text)).toMatchObject({ status: 201, body: { text, from: 'alice' } });
  });

  test('the same text as JSON and as plain text under one key is one message', async () => {
    const { node, token } = await theAlice();
    const headers = { 'Idempotency-Key': crypto.randomUUID() };
    const first = await say('hello', headers);
    const json = { token, path: { username: 'alice' }, body: { text: 'hello' }, headers };
    const repeated = await call(node, operationId, json);
    expect(repeated.body).toEqual(first.body);
    expect(repeated.headers['idempotent-replayed']).toBe('true');
    expect((await say('hello\n', headers)).body).toEqual(first.body);
    expectProblem(await say('hello yourself', headers), 'idempotency_conflict');
  });

  test('rejects a body larger than 64 KiB', async () => {
    const { node, token } = await theAlice();
    const body = 'x'.repeat(LIMIT + 1);
    expectProblem(await send(node, 'POST', path, { token, headers: PLAIN, body }), 'body_too_large');
    const headers = { ...PLAIN, 'Transfer-Encoding': 'chunked' };
    expectProblem(await send(node, 'POST', path, { token, headers, body }), 'body_too_large');
  });
});

test.each([
  ['hello\n', 'hello'],
  ['hello\r\n', 'hello'],
  ['hello\n\n', 'hello\n'],
  ['hello\n ', 'hello\n '],
  ['hello\r', 'hello\r'],
  ['\nhello', '\nhello'],
])('one newline at the end is not part of the text: %j', async (body, text) => {
  expect((await note(body)).body.text).toBe(text);
});

test('a byte order mark at the beginning is not part of the text, and one inside is', async () => {
  expect((await note('\ufeffhello')).body.text).toBe('hello');
  expect((await note('hello\ufeff')).body.text).toBe('hello\ufeff');
});

test('the limit of 4,000 characters does not count the newline at the end', async () => {
  const text = '😀'.repeat(4_000);
  expect((await note(`${text}\r\n`)).body.text).toBe(text);
  expectProblem(await note(`${text}x`), 'validation_failed', '/text');
});

test.each(['\n', ' \t\r\n', '\u3000', 'a\0b', '\x1b[2J'])('rejects the text %j', async (text) => {
  expectProblem(await note(text), 'validation_failed', '/text');
});

test('rejects a missing body', async () => {
  expectProblem(await note(''), 'validation_failed', '');
});

test.each([
  ['an invalid byte', [0x61, 0xff]],
  ['an overlong encoding', [0xc0, 0x80]],
  ['a lone surrogate', [0xed, 0xa0, 0x80]],
  ['a truncated character', [0xe5, 0xbc]],
  ['Latin-1', [0x63, 0x61, 0x66, 0xe9]],
  ['UTF-16', [0xff, 0xfe, 0x61, 0]],
])('rejects text that is not UTF-8: %s', async (_, bytes) => {
  expectProblem(await note(Buffer.from(bytes)), 'validation_failed', '');
});

test.each([
  ...['text/plain;charset=utf-8', 'Text/Plain; Charset="UTF-8"', 'text/plain ; charset=utf8', 'text/plain;'],
  'text/plain; format=flowed; charset=utf-8',
])('accepts the content type %j', async (type) => {
  expect((await note('žluťoučký', { 'Content-Type': type })).body.text).toBe('žluťoučký');
});

test.each([
  ...['text/plain; charset=iso-8859-1', 'text/plain; charset=utf-16', 'text/plain; charset=utf-8; charset=x'],
  ...['text/html', 'text/markdown', 'text/plainer', 'text/plain/x', 'text', 'application/text', 'json/plain'],
])('rejects the content type %j', async (type) => {
  expectProblem(await note('hello', { 'Content-Type': type }), 'unsupported_media_type');
});

test('rejects compressed text', async () => {
  const headers = { ...PLAIN, 'Content-Encoding': 'gzip' };
  expectProblem(await note(gzipSync('hello'), headers), 'unsupported_media_type');
});

const OTHERS = loadContract().routes.filter(({ checkBody, acceptsText }) => checkBody && !acceptsText);

test.each(OTHERS.map(({ operationId, method, path }) => [operationId, method, path]))(
  '%s takes JSON only',
  async (_, method, path) => {
    const { node, token } = await theAlice();
    const options = { token, headers: PLAIN, body: 'hello' };
    const answer = await send(node, method!.toUpperCase(), path!, options);
    expectProblem(answer, 'unsupported_media_type');
    expect(answer.body.detail).not.toContain('text/plain');
  },
);
