/** Bodies that do not fit the contract get a clear problem and change nothing. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadContract } from '../../src/http/openapi.ts';
import { type Person, person, sharedNode } from '../kit/app.ts';
import { type Answer, expectProblem, send } from '../kit/http.ts';
import { everything } from '../kit/state.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const LIMIT = 64 * 1_024;

/** Every operation that takes a body, with a valid one. */
const OPERATIONS = {
  register: { method: 'POST', path: '/v1/register', body: { username: 'carol', password: 'correct horse' } },
  login: {
    method: 'POST',
    path: '/v1/login',
    body: { username: 'alice', password: 'correct horse battery' },
  },
  refresh: { method: 'POST', path: '/v1/refresh', body: { refreshToken: 'x.y.z' } },
  updateMe: { method: 'PATCH', path: '/v1/me', body: { displayName: 'Alice L.' } },
  sendBroadcast: { method: 'POST', path: '/v1/broadcasts', body: { text: 'hello' } },
  sendDirect: { method: 'POST', path: '/v1/dm/bob', body: { text: 'hello' } },
  ackMailbox: { method: 'POST', path: '/v1/mailbox/ack', body: { upTo: 'x' } },
} as const;
type Name = keyof typeof OPERATIONS;

const theNode = sharedNode();

let session: Promise<Person> | undefined;

/** Logs alice in once for all tests; bob is there to receive messages. */
async function theAlice(): Promise<Person> {
  session ??= person(theNode(), 'bob').then(() => person(theNode(), 'alice'));
  return session;
}

/** Sends a body to an operation as alice. */
function sendTo(
  alice: Person,
  name: Name,
  body?: string | Buffer,
  headers: Record<string, string> = JSON_TYPE,
) {
  const { method, path } = OPERATIONS[name];
  return send(alice.node, method, path, { token: alice.token, headers, ...(body !== undefined && { body }) });
}

/** Sends to every operation in turn, and checks that nothing has changed. */
async function sendToAll(
  sendBad: (alice: Person, name: Name) => Promise<Answer>,
  check: (answer: Answer) => void,
) {
  const alice = await theAlice();
  const { node } = alice;
  const before = await everything(node);
  for (const name of Object.keys(OPERATIONS) as Name[]) check(await sendBad(alice, name));
  expect(await everything(node)).toEqual(before);
}

const malformed = (answer: Answer) => expectProblem(answer, 'malformed_json');
const unsupported = (answer: Answer) => expectProblem(answer, 'unsupported_media_type');
const tooLarge = (answer: Answer) => expectProblem(answer, 'body_too_large');
const invalid = (answer: Answer) => expectProblem(answer, 'validation_failed', '');

/** A valid body, padded to `bytes`. */
const padded = (name: Name, bytes: number) => JSON.stringify(OPERATIONS[name].body).padEnd(bytes);

test.each([
  '{',
  '{"text": "a',
  "{'text': 'a'}",
  '{"text": "a",}',
  '{"text": "a"}}',
  'undefined',
  'NaN',
  '\0',
  ' ',
  '<xml/>',
])('rejects a body that is not JSON: %j', (text) =>
  sendToAll((alice, name) => sendTo(alice, name, text), malformed),
);

test.each([
  ['an invalid byte', [0xff]],
  ['an overlong encoding', [0xc0, 0x80]],
  ['a lone surrogate', [0xed, 0xa0, 0x80]],
  ['a truncated character', [0xe5, 0xbc]],
  ['Latin-1', [0xe9]],
])('rejects a body that is not UTF-8: %s', (_, bytes) =>
  sendToAll((alice, name) => {
    const [before, after] = JSON.stringify(OPERATIONS[name].body).split(/(?<=:")/, 2) as [string, string];
    return sendTo(alice, name, Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
  }, malformed),
);

const BOM = Buffer.from([0xef, 0xbb, 0xbf]);

test('ignores a byte order mark before JSON in UTF-8', async () => {
  const alice = await theAlice();
  const sent = await sendTo(
    alice,
    'sendBroadcast',
    Buffer.concat([BOM, Buffer.from('{"text":"from a file"}\r\n')]),
  );
  expect([sent.status, sent.body.text]).toEqual([201, 'from a file']);
  const updated = await sendTo(
    alice,
    'updateMe',
    Buffer.concat([BOM, Buffer.from('{"displayName":"Alice"}')]),
  );
  expect([updated.status, updated.body.displayName]).toEqual([200, 'Alice']);
});

test('keeps a byte order mark inside a text', async () => {
  const sent = await sendTo(await theAlice(), 'sendBroadcast', '{"text":"a\ufeffb"}');
  expect(sent.body.text).toBe('a\ufeffb');
});

test.each([
  ['alone', BOM],
  ['before only a space', Buffer.concat([BOM, Buffer.from(' ')])],
  ['twice', Buffer.concat([BOM, BOM, Buffer.from('{"text":"x"}')])],
  ['after a space', Buffer.concat([Buffer.from(' '), BOM, Buffer.from('{"text":"x"}')])],
  ['at the end', Buffer.concat([Buffer.from('{"text":"x"}'), BOM])],
  ['that is truncated', Buffer.concat([BOM.subarray(0, 2), Buffer.from('{"text":"x"}')])],
  ['of UTF-16', Buffer.from('\ufeff{"text":"x"}', 'utf16le')],
  ['of UTF-16, big-endian', Buffer.from('\ufeff{"text":"x"}', 'utf16le').swap16()],
  ['of UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0, 0x7d, 0, 0, 0])],
  ['missing before UTF-16', Buffer.from('{"text":"x"}', 'utf16le')],
])('rejects a body with a byte order mark %s', (_, bytes) =>
  sendToAll((alice, name) => sendTo(alice, name, bytes), malformed),
);

test.each(['identity', 'Identity', ''])('accepts the content encoding %j', async (encoding) => {
  const headers = { ...JSON_TYPE, 'Content-Encoding': encoding };
  expect((await sendTo(await theAlice(), 'sendBroadcast', '{"text":"x"}', headers)).status).toBe(201);
});

test.each(['[]', '"text"', '1', 'null', 'true'])('rejects JSON that is not an object: %s', (text) =>
  sendToAll((alice, name) => sendTo(alice, name, text), invalid),
);

test('rejects a missing body', async () => {
  await sendToAll((alice, name) => sendTo(alice, name, undefined, {}), invalid);
  await sendToAll((alice, name) => sendTo(alice, name, undefined), invalid);
  await sendToAll((alice, name) => sendTo(alice, name, ''), invalid);
});

test('rejects an empty chunked body', () =>
  sendToAll(
    (alice, name) => sendTo(alice, name, undefined, { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' }),
    (answer) => expectProblem(answer, 'validation_failed'),
  ));

test.each([
  ...['application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json'],
  ...[
    'application/json, text/plain',
    'application/json/x',
    'application/json x',
    ';',
    'application/vnd.api+json',
  ],
  ...['application/json; charset=utf-8; charset=utf-7', 'application/json; a=b; charset="utf-16"'],
  ...['application/json; charset="utf-8 utf-16"', 'application/json; charset=us-ascii'],
  ...['application/xml', 'application/merge-patch+json', 'application/jsonp', 'json', '', '*/*'],
  ...[
    'application/json; charset=utf-16',
    'application/json; charset=utf-16le',
    'application/json; charset=utf-7',
  ],
  ...[
    'application/json; charset=iso-8859-1',
    'application/json; charset=utf-32',
    'application/json; charset=x',
  ],
])('rejects the content type %j', (type) =>
  sendToAll((alice, name) => sendTo(alice, name, padded(name, 0), { 'Content-Type': type }), unsupported),
);

test('rejects a body without a content type', () =>
  sendToAll((alice, name) => sendTo(alice, name, padded(name, 0), {}), unsupported));

test.each([
  ...['application/json;', 'application/json ;', 'application/json;;', 'application/json; charset=utf8'],
  ...['application/json; utf-8', 'application/json;odata=verbose', 'application/json;\tcharset=utf-8\t'],
  ...['application/json; profile="a; charset=utf-16"; charset=utf-8', 'application/json; a="\\""; b=c'],
  ...['application/json; charset=', 'application/json; CHARSET="UTF8"', 'application/json; charset = utf-8'],
  ...['application/json; charset=utf-8; charset=UTF-8', 'application/json; version=1; q=0.9'],
  ...[
    'application/json',
    'Application/JSON',
    'application/json;charset=utf-8',
    'application/json; charset=UTF-8',
  ],
  'application/json; charset="utf-8"',
])('accepts JSON in UTF-8 as %j', async (type) => {
  const alice = await theAlice();
  const answer = await sendTo(alice, 'sendBroadcast', '{"text":"žluťoučký 🐎"}', { 'Content-Type': type });
  expect(answer.body).toMatchObject({ text: 'žluťoučký 🐎' });
});

describe('a body larger than 64 KiB', () => {
  test('is rejected by its Content-Length', () =>
    sendToAll((alice, name) => sendTo(alice, name, padded(name, LIMIT + 1)), tooLarge));

  test('is rejected by its bytes when it is chunked', () =>
    sendToAll(async (alice, name) => {
      const headers = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' };
      return sendTo(alice, name, padded(name, LIMIT + 1), headers);
    }, tooLarge));

  test('is rejected, while one of exactly 64 KiB is accepted', async () => {
    const alice = await theAlice();
    expect((await sendTo(alice, 'sendBroadcast', padded('sendBroadcast', LIMIT))).status).toBe(201);
  });

  test('is rejected before it has arrived', async () => {
    const alice = await theAlice();
    const headers = { ...JSON_TYPE, 'Content-Length': String(4 * 2 ** 30) };
    expectProblem(await sendTo(alice, 'sendBroadcast', '{', headers), 'body_too_large');
  });
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])('rejects a body compressed with %s', (encoding, compress) =>
  sendToAll(
    (alice, name) =>
      sendTo(alice, name, compress(padded(name, 0)), { ...JSON_TYPE, 'Content-Encoding': encoding }),
    unsupported,
  ),
);

test.each(['extra', '__proto__', 'constructor', 'prototype', 'toString', 'sid', 'from', ''])(
  'rejects the unknown field %j',
  (field) =>
    sendToAll(
      (alice, name) => {
        const text = `${JSON.stringify(OPERATIONS[name].body).slice(0, -1)},${JSON.stringify(field)}:{"x":1}}`;
        return sendTo(alice, name, text);
      },
      (answer) => expectProblem(answer, 'validation_failed', `/${field}`),
    ),
);

test('ignores fields inside __proto__', () =>
  sendToAll(
    (alice, name) => sendTo(alice, name, `{"__proto__":${JSON.stringify(OPERATIONS[name].body)}}`),
    (answer) => expectProblem(answer, 'validation_failed', '/__proto__'),
  ));

test('reports every field that is not valid', async () => {
  const alice = await theAlice();
  const answer = await sendTo(alice, 'register', '{"username": 1, "password": [], "a/b~c": 0}');
  expectProblem(answer, 'validation_failed');
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  expect(pointers.sort()).toEqual(['/a~1b~0c', '/password', '/username']);
});

test('JSON nested as deep as the body limit allows is parsed and rejected', () =>
  sendToAll((alice, name) => sendTo(alice, name, `${'['.repeat(30_000)}${']'.repeat(30_000)}`), invalid));

describe('a body with thousands of errors costs no more than any body of its size', () => {
  /** As many fields as fit into a body. */
  const manyOf = (field: (n: number) => string) => {
    const fields = [];
    for (let bytes = 2; ; ) {
      const next = field(fields.length);
      bytes += next.length + 1;
      if (bytes > LIMIT) return `{${fields.join()}}`;
      fields.push(next);
    }
  };
  const hostile: Record<string, string> = {
    'unknown fields': manyOf((n) => `"${n.toString(36)}":0`),
    'numbered fields': manyOf((n) => `"${n}":0`),
    'unknown fields with nested values': manyOf((n) => `"${n.toString(36)}":[[]]`),
    'one field repeated': manyOf(() => '"text":0'),
    'one name that fills the body': `{"${'/'.repeat(LIMIT - 6)}":0}`,
    'a list': `[${'0,'.repeat(30_000)}0]`,
    'deep nesting': `${'{"a":'.repeat(10_000)}0${'}'.repeat(10_000)}`,
  };

  test.each(Object.keys(hostile))('%s: at most ten errors are reported, in a small response', (kind) =>
    sendToAll(
      (alice, name) => sendTo(alice, name, hostile[kind]!),
      (answer) => {
        expectProblem(answer, 'validation_failed');
        expect(answer.body.errors.length).toBeLessThanOrEqual(10);
        expect(answer.text.length).toBeLessThan(4_096);
      },
    ),
  );

  test.each(Object.keys(hostile))('%s: validation takes no longer than parsing', (kind) => {
    const { checkBody } = loadContract().routes.find(({ operationId }) => operationId === 'login')!;
    const value = JSON.parse(hostile[kind]!);
    /** The fastest of several runs in ms, to exclude other load on the machine. */
    const best = (work: () => void) => {
      const times = Array.from({ length: 20 }, () => {
        const start = performance.now();
        work();
        return performance.now() - start;
      });
      return Math.min(...times);
    };
    checkBody!(value);
    expect(best(() => checkBody!(value))).toBeLessThan(best(() => JSON.parse(hostile[kind]!)) + 0.2);
  });

  test('of twenty errors in a small body, ten are reported', async () => {
    const alice = await theAlice();
    const fields = Array.from({ length: 20 }, (_, n) => [`field-${n}`, 0]);
    const answer = await sendTo(alice, 'register', JSON.stringify(Object.fromEntries(fields)));
    expectProblem(answer, 'validation_failed');
    expect(answer.body.errors).toHaveLength(10);
  });
});
