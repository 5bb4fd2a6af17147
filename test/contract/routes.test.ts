/** Paths and methods that are not in the contract, and input that is not HTTP. */
import { describe, expect, test } from 'vitest';
import { loadContract } from '../../src/http/openapi.ts';
import { person, sharedNode } from '../kit/app.ts';
import { expectProblem, send, sendRaw } from '../kit/http.ts';

const theNode = sharedNode();

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PURGE'];
/** The allowed methods of each path: those in the contract, and HEAD wherever there is GET, except for the stream. */
const ALLOWED: [string, string[]][] = Object.entries(loadContract().document.paths).map(([path, item]) => {
  const methods = METHODS.filter((method) => method.toLowerCase() in item);
  const hasHead = methods.includes('GET') && path !== '/v1/events';
  return [path.replace('{username}', 'bob'), hasHead ? [...methods, 'HEAD'] : methods];
});
const PAGES = ['/', '/docs', '/openapi.yaml', '/openapi.json'].map((path): [string, string[]] => [
  path,
  ['GET', 'HEAD'],
]);

test.each([...ALLOWED, ...PAGES])(
  '%s allows %j, and lists them for any other method',
  async (path, allowed) => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    for (const method of METHODS.filter((each) => !allowed.includes(each))) {
      const answer = await send(node, method, path, { token });
      expect(answer.status, method).toBe(405);
      expect(answer.headers['allow']?.split(', ').sort(), method).toEqual(allowed.toSorted());
      expect(answer.headers['content-type']).toBe('application/problem+json');
      if (method !== 'HEAD') expectProblem(answer, 'method_not_allowed');
    }
  },
);

test.each(ALLOWED.filter(([, allowed]) => allowed.includes('HEAD')))(
  'HEAD %s returns the headers of GET without a body',
  async (path) => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    await person(node, 'bob');
    const [get, head] = [await send(node, 'GET', path, { token }), await send(node, 'HEAD', path, { token })];
    expect([get.status, head.status, head.text]).toEqual([200, 200, '']);
    for (const name of ['content-type', 'content-length']) expect(head.headers[name]).toBe(get.headers[name]);
  },
);

describe('returns not_found for', () => {
  test.each([
    ...[
      '/v1/',
      '/v2/me',
      '/v1/me/',
      '/V1/me',
      '/v1/Me',
      '/v1/m%65',
      '/v1/users',
      '/v1/users/',
      '/v1/users/a/b',
    ],
    ...[
      '/v1/dm/',
      '/v1/register/x',
      '//v1/me',
      '/v1//me',
      '/v1/../v1/me',
      '/./v1/me',
      '/v1/me;x=1',
      '/v1/me%00',
    ],
    ...[
      '/.env',
      '/metrics',
      '/docs/../package.json',
      '/docs/..%2f..%2fpackage.json',
      '/docs/%00',
      '/docs/nothing.js',
    ],
    ...['/%zz', '/v1/users/%zz', '/v1/users/%E0%A4%A', '/v1/dm/%ff', '/docs/%zz', `/${'x'.repeat(10_000)}`],
  ])('%s', async (path) => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    expectProblem(await send(node, 'GET', path, { token }), 'not_found');
    expectProblem(await send(node, 'POST', path, { token, body: { text: 'hi' } }), 'not_found');
  });
});

describe('input that is not HTTP gets a problem, and the connection closes', () => {
  const host = 'Host: localhost\r\n';
  test.each([
    ['garbage', 'hello?\r\n\r\n', 400],
    ['binary data', Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00]), 400],
    ['an unknown method', `BREW / HTTP/1.1\r\n${host}\r\n`, 400],
    ['a space in the path', `GET /v1/me x HTTP/1.1\r\n${host}\r\n`, 400],
    ['a header without a name', `GET /v1/me HTTP/1.1\r\n${host}: x\r\n\r\n`, 400],
    ['a header with a NUL', `GET /v1/me HTTP/1.1\r\n${host}X-A: a\0b\r\n\r\n`, 400],
    [
      'two lengths',
      `POST /v1/login HTTP/1.1\r\n${host}Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}`,
      400,
    ],
    [
      'both a length and chunks (request smuggling)',
      `POST /v1/login HTTP/1.1\r\n${host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    ['a length that is not a number', `POST /v1/login HTTP/1.1\r\n${host}Content-Length: abc\r\n\r\n`, 400],
    ['a header that is too long', `GET /v1/me HTTP/1.1\r\n${host}X-A: ${'a'.repeat(20_000)}\r\n\r\n`, 431],
    ['a path that is too long', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`, 431],
  ])('%s', async (_, bytes, status) => {
    const node = theNode();
    const answer = await sendRaw(node, bytes);
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({ 'content-type': 'application/problem+json', connection: 'close' });
    expect(answer.body).toMatchObject({ status, code: 'validation_failed', requestId: expect.any(String) });
    expect(answer.headers['x-request-id']).toBe(answer.body.requestId);
    expect((await send(node, 'GET', '/livez')).status).toBe(200);
  });

  test('an unknown Expect header is ignored', async () => {
    const node = theNode();
    const answer = await send(node, 'GET', '/livez', { headers: { Expect: 'miracles' } });
    expect(answer.status).toBe(200);
  });
});

test('a client that disconnects in the middle of its request does not affect the node', async () => {
  const node = theNode();
  const head =
    'POST /v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n';
  await sendRaw(node, `${head}{"username":`);
  expect((await send(node, 'GET', '/livez')).status).toBe(200);
});
