/** Bodies that are not what the contract asks for: a clear problem, and nothing changes. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { loadContract } from '../../src/http/openapi.ts';
import { type Person, person, sharedNode } from '../support/app.ts';
import { type Answer, expectProblem, send } from '../support/http.ts';
import { everything } from '../support/state.ts';

const JSON_TYPE = { 'Content-Type': 'application/json' };
const LIMIT = 64 * 1_024;

/** Every operation that takes a body, with one that it would accept. */
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

let known: Promise<Person> | undefined;

/** Alice, who has bob to write to; one session serves for all tests. */
async function theAlice(): Promise<Person> {
  known ??= person(theNode(), 'bob').then(() => person(theNode(), 'alice'));
  return known;
}

/** Sends the body to an operation as alice. */
function give(
  alice: Person,
  name: Name,
  body?: string | Buffer,
  headers: Record<string, string> = JSON_TYPE,
) {
  const { method, path } = OPERATIONS[name];
  return send(alice.node, method, path, { token: alice.token, headers, ...(body !== undefined && { body }) });
}

/** To every operation in turn; afterwards everything is as it was. */
async function giveToAll(
  bad: (alice: Person, name: Name) => Promise<Answer>,
  check: (answer: Answer) => void,
) {
  const alice = await theAlice();
  const { node } = alice;
  const before = await everything(node);
  for (const name of Object.keys(OPERATIONS) as Name[]) check(await bad(alice, name));
  expect(await everything(node)).toEqual(before);
}

const malformed = (answer: Answer) => expectProblem(answer, 'malformed_json');
const unsupported = (answer: Answer) => expectProblem(answer, 'unsupported_media_type');
const tooLarge = (answer: Answer) => expectProblem(answer, 'body_too_large');
const misfit = (answer: Answer) => expectProblem(answer, 'validation_failed', '');

/** A body that would be right, in so many bytes. */
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
])('what is not JSON: %j', (text) => giveToAll((alice, name) => give(alice, name, text), malformed));

test.each([
  ['a lone byte', [0xff]],
  ['an overlong form', [0xc0, 0x80]],
  ['half a surrogate pair', [0xed, 0xa0, 0x80]],
  ['the half of a character', [0xe5, 0xbc]],
  ['Latin-1', [0xe9]],
])('what is not UTF-8: %s', (_, bytes) =>
  giveToAll((alice, name) => {
    const [before, after] = JSON.stringify(OPERATIONS[name].body).split(/(?<=:")/, 2) as [string, string];
    return give(alice, name, Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]));
  }, malformed),
);

const MARK = Buffer.from([0xef, 0xbb, 0xbf]);

test('a byte order mark before JSON in UTF-8 is passed over, by every operation', async () => {
  const alice = await theAlice();
  const sent = await give(
    alice,
    'sendBroadcast',
    Buffer.concat([MARK, Buffer.from('{"text":"from a file"}\r\n')]),
  );
  expect([sent.status, sent.body.text]).toEqual([201, 'from a file']);
  const updated = await give(
    alice,
    'updateMe',
    Buffer.concat([MARK, Buffer.from('{"displayName":"Alice"}')]),
  );
  expect([updated.status, updated.body.displayName]).toEqual([200, 'Alice']);
});

test('a byte order mark inside of a text belongs to it', async () => {
  const sent = await give(await theAlice(), 'sendBroadcast', '{"text":"a\ufeffb"}');
  expect(sent.body.text).toBe('a\ufeffb');
});

test.each([
  ['alone', MARK],
  ['before nothing but a space', Buffer.concat([MARK, Buffer.from(' ')])],
  ['twice', Buffer.concat([MARK, MARK, Buffer.from('{"text":"x"}')])],
  ['after a space', Buffer.concat([Buffer.from(' '), MARK, Buffer.from('{"text":"x"}')])],
  ['at the end', Buffer.concat([Buffer.from('{"text":"x"}'), MARK])],
  ['cut off', Buffer.concat([MARK.subarray(0, 2), Buffer.from('{"text":"x"}')])],
  ['of UTF-16', Buffer.from('\ufeff{"text":"x"}', 'utf16le')],
  ['of UTF-16, big-endian', Buffer.from('\ufeff{"text":"x"}', 'utf16le').swap16()],
  ['of UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x7b, 0, 0, 0, 0x7d, 0, 0, 0])],
  ['of nothing, before UTF-16', Buffer.from('{"text":"x"}', 'utf16le')],
])('a byte order mark %s is not JSON', (_, bytes) =>
  giveToAll((alice, name) => give(alice, name, bytes), malformed),
);

test.each(['identity', 'Identity', ''])('a body that is not packed may say so: %j', async (encoding) => {
  const headers = { ...JSON_TYPE, 'Content-Encoding': encoding };
  expect((await give(await theAlice(), 'sendBroadcast', '{"text":"x"}', headers)).status).toBe(201);
});

test.each(['[]', '"text"', '1', 'null', 'true'])('JSON that is no object: %s', (text) =>
  giveToAll((alice, name) => give(alice, name, text), misfit),
);

test('no body', async () => {
  await giveToAll((alice, name) => give(alice, name, undefined, {}), misfit);
  await giveToAll((alice, name) => give(alice, name, undefined), misfit);
  await giveToAll((alice, name) => give(alice, name, ''), misfit);
});

test('an empty body that announces no length', () =>
  giveToAll(
    (alice, name) => give(alice, name, undefined, { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' }),
    (answer) => expectProblem(answer, 'validation_failed'),
  ));

test.each([
  ...['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json'],
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
])('the content type %j', (type) =>
  giveToAll((alice, name) => give(alice, name, padded(name, 0), { 'Content-Type': type }), unsupported),
);

test('no content type', () =>
  giveToAll((alice, name) => give(alice, name, padded(name, 0), {}), unsupported));

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
])('JSON in UTF-8 is accepted as %j', async (type) => {
  const alice = await theAlice();
  const answer = await give(alice, 'sendBroadcast', '{"text":"žluťoučký 🐎"}', { 'Content-Type': type });
  expect(answer.body).toMatchObject({ text: 'žluťoučký 🐎' });
});

describe('a body of more than 64 KiB is refused', () => {
  test('by its announced length, before it has been sent', () =>
    giveToAll((alice, name) => give(alice, name, padded(name, LIMIT + 1)), tooLarge));

  test('by what comes, where no length is announced', () =>
    giveToAll(async (alice, name) => {
      const headers = { ...JSON_TYPE, 'Transfer-Encoding': 'chunked' };
      return give(alice, name, padded(name, LIMIT + 1), headers);
    }, tooLarge));

  test('but one of exactly 64 KiB is not', async () => {
    const alice = await theAlice();
    expect((await give(alice, 'sendBroadcast', padded('sendBroadcast', LIMIT))).status).toBe(201);
  });

  test('at once: who announces gigabytes need not send them to hear no', async () => {
    const alice = await theAlice();
    const headers = { ...JSON_TYPE, 'Content-Length': String(4 * 2 ** 30) };
    expectProblem(await give(alice, 'sendBroadcast', '{', headers), 'body_too_large');
  });
});

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
])('a body that is packed by %s: nothing here is large enough to be worth it', (encoding, pack) =>
  giveToAll(
    (alice, name) => give(alice, name, pack(padded(name, 0)), { ...JSON_TYPE, 'Content-Encoding': encoding }),
    unsupported,
  ),
);

test.each(['extra', '__proto__', 'constructor', 'prototype', 'toString', 'sid', 'from', ''])(
  'a field that the contract does not know: %j',
  (field) =>
    giveToAll(
      (alice, name) => {
        const text = `${JSON.stringify(OPERATIONS[name].body).slice(0, -1)},${JSON.stringify(field)}:{"x":1}}`;
        return give(alice, name, text);
      },
      (answer) => expectProblem(answer, 'validation_failed', `/${field}`),
    ),
);

test('fields that hide in a prototype are not there', () =>
  giveToAll(
    (alice, name) => give(alice, name, `{"__proto__":${JSON.stringify(OPERATIONS[name].body)}}`),
    (answer) => expectProblem(answer, 'validation_failed', '/__proto__'),
  ));

test('every place that does not fit is named', async () => {
  const alice = await theAlice();
  const answer = await give(alice, 'register', '{"username": 1, "password": [], "a/b~c": 0}');
  expectProblem(answer, 'validation_failed');
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  expect(pointers.sort()).toEqual(['/a~1b~0c', '/password', '/username']);
});

test('JSON nested to the limit of a body is read, and refused for what it is', () =>
  giveToAll((alice, name) => give(alice, name, `${'['.repeat(30_000)}${']'.repeat(30_000)}`), misfit));

describe('a body with thousands of faults costs no more than any of its size', () => {
  /** As many of these as fit into a body. */
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
    'unknown fields with parts': manyOf((n) => `"${n.toString(36)}":[[]]`),
    'one field again and again': manyOf(() => '"text":0'),
    'one name that fills the body': `{"${'/'.repeat(LIMIT - 6)}":0}`,
    'a list': `[${'0,'.repeat(30_000)}0]`,
    'nothing but depth': `${'{"a":'.repeat(10_000)}0${'}'.repeat(10_000)}`,
  };

  test.each(Object.keys(hostile))('%s: at most ten faults are told, in a small answer', (kind) =>
    giveToAll(
      (alice, name) => give(alice, name, hostile[kind]!),
      (answer) => {
        expectProblem(answer, 'validation_failed');
        expect(answer.body.errors.length).toBeLessThanOrEqual(10);
        expect(answer.text.length).toBeLessThan(4_096);
      },
    ),
  );

  test.each(Object.keys(hostile))('%s: to check them takes no longer than to read them', (kind) => {
    const { checkBody } = loadContract().routes.find(({ operationId }) => operationId === 'login')!;
    const value = JSON.parse(hostile[kind]!);
    /** The best of several, in ms: what else the machine does is left out. */
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

  test('some twenty faults of a small body: ten of them are told', async () => {
    const alice = await theAlice();
    const fields = Array.from({ length: 20 }, (_, n) => [`field-${n}`, 0]);
    const answer = await give(alice, 'register', JSON.stringify(Object.fromEntries(fields)));
    expectProblem(answer, 'validation_failed');
    expect(answer.body.errors).toHaveLength(10);
  });
});
