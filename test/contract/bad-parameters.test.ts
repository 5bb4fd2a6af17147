/** Queries, paths and headers that the contract does not allow. */
import { expect, test } from 'vitest';
import { type Person, person, sharedNode } from '../kit/app.ts';
import { expectProblem, send } from '../kit/http.ts';

const theNode = sharedNode();

const LISTS: [path: string, maxLimit: number][] = [
  ['/v1/online', 1_000],
  ['/v1/broadcasts', 1_000],
  ['/v1/dm/bob', 1_000],
  ['/v1/dm', 100],
  ['/v1/mailbox', 1_000],
];

async function alice(): Promise<Person> {
  const node = theNode();
  await person(node, 'bob');
  return person(node, 'alice');
}

const get = ({ node, token }: Person, path: string) => send(node, 'GET', path, { token });

test.each(LISTS)('%s takes a single limit, an integer from 1 to %i', async (path, max) => {
  const who = await alice();
  const bad = [
    '0',
    '-1',
    '-0',
    String(max + 1),
    '1e9',
    '1.5',
    'abc',
    '',
    '%20',
    'NaN',
    'Infinity',
    'null',
    'true',
  ];
  for (const limit of [...bad, '1&limit=2', '1&limit=1', '99999999999999999999', '1,2', '%00', '[]', '%zz'])
    expectProblem(await get(who, `${path}?limit=${limit}`), 'validation_failed', 'query/limit');
  for (const limit of ['1', String(max)]) expect((await get(who, `${path}?limit=${limit}`)).status).toBe(200);
});

test.each(['/v1/broadcasts', '/v1/dm/bob'])('%s takes either before or after, an integer', async (path) => {
  const who = await alice();
  const bad = ['-1', '1.5', 'abc', '', '9007199254740992', '1e300', 'NaN', '1&$=2'];
  for (const name of ['before', 'after']) {
    for (const value of bad)
      expectProblem(
        await get(who, `${path}?${name}=${value.replace('$', name)}`),
        'validation_failed',
        `query/${name}`,
      );
    expect((await get(who, `${path}?${name}=9007199254740991`)).status).toBe(200);
  }
  expectProblem(await get(who, `${path}?before=2&after=1`), 'validation_failed', 'query/before');
  expectProblem(await get(who, `${path}?before=0&after=0`), 'validation_failed', 'query/before');
});

test.each(['/v1/online', '/v1/dm'])('%s takes a single cursor of at most 256 characters', async (path) => {
  const who = await alice();
  for (const cursor of ['', 'x'.repeat(257), '0-0-0&cursor=0-0-0'])
    expectProblem(await get(who, `${path}?cursor=${cursor}`), 'validation_failed', 'query/cursor');
});

test('the stream rejects an unknown presence mode', async () => {
  const who = await alice();
  for (const mode of ['', 'none', 'ALL', 'all&presence=all'])
    expectProblem(await get(who, `/v1/events?presence=${mode}`), 'validation_failed', 'query/presence');
});

test('the stream takes a single id to resume from, also by its former name', async () => {
  const who = await alice();
  for (const name of ['after', 'lastEventId'])
    expectProblem(await get(who, `/v1/events?${name}=a&${name}=a`), 'validation_failed', 'query/after');
});

test('reports every parameter that is not valid', async () => {
  const answer = await get(await alice(), '/v1/broadcasts?limit=0&before=x');
  expectProblem(answer, 'validation_failed');
  const pointers = answer.body.errors.map(({ pointer }: { pointer: string }) => pointer);
  expect(pointers.sort()).toEqual(['query/before', 'query/limit']);
});

test('ignores unknown parameters', async () => {
  const who = await alice();
  for (const query of [
    'x=1',
    '__proto__=1&__proto__=2',
    'constructor=1',
    'toString=1&limit=1',
    '',
    '&&',
    '=',
    '%zz=%zz',
    'body=1',
  ])
    expect((await get(who, `/v1/broadcasts?${query}`)).body).toEqual({ messages: [], hasMore: false });
});

test('rejects a username in a path that is longer than 256 characters', async () => {
  const who = await alice();
  for (const path of ['/v1/users/', '/v1/dm/']) {
    expectProblem(await get(who, `${path}${'x'.repeat(64)}`), 'unknown_user');
    expectProblem(await get(who, `${path}${'x'.repeat(257)}`), 'validation_failed', 'path/username');
    expectProblem(await get(who, `${path}${'%F0%9F%98%80'.repeat(64)}`), 'unknown_user');
    expectProblem(
      await get(who, `${path}${'%F0%9F%98%80'.repeat(257)}`),
      'validation_failed',
      'path/username',
    );
  }
});

test.each([
  ['returns', 'a request id of the client', 'Trace-1.2:3_4', true],
  ['returns', 'a request id of 128 characters', 'x'.repeat(128), true],
  ['replaces', 'a request id that is too long', 'x'.repeat(129), false],
  ['replaces', 'an empty request id', '', false],
  ['replaces', 'a request id with other characters', 'a b', false],
  ['replaces', 'a request id that would break a log line', '{"level":60}', false],
])('%s %s', async (_, __, requestId, isReturned) => {
  const who = await alice();
  for (const [path, status] of [
    ['/v1/me', 200],
    ['/v1/nothing', 404],
    ['/livez', 200],
  ] as const) {
    const answer = await send(who.node, 'GET', path, {
      token: who.token,
      headers: { 'X-Request-Id': requestId },
    });
    expect(answer.status).toBe(status);
    if (isReturned) expect(answer.headers['x-request-id']).toBe(requestId);
    else expect(answer.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
    if (status === 404) expect(answer.body.requestId).toBe(answer.headers['x-request-id']);
  }
});
