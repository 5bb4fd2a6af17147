/** Request targets: parsed once, and rejected before any other step if they are not valid. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTarget, shownPath } from '../../../src/http/request-target.ts';
import { person, sharedNode, startNode, until } from '../../kit/app.ts';
import { expectProblem, sendRaw } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';

const theNode = sharedNode();
const sendBytes = (node: { url: string }, bytes: Buffer) => sendRaw(node, bytes, { isWhole: false });
const requestBytes = (line: string, ...more: string[]) =>
  Buffer.from(
    [`${line} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...more, '', ''].join('\r\n'),
    'latin1',
  );

const VALID: [string, string, string, string?][] = [
  ['/', '/', ''],
  ['/v1/me', '/v1/me', ''],
  ['/v1/me?', '/v1/me', ''],
  ['/v1/me?a=b?c/d', '/v1/me', 'a=b?c/d'],
  ['//evil.example/v1/me', '//evil.example/v1/me', ''],
  ['/v1/../v1/me', '/v1/../v1/me', ''],
  ['/v1/%6de;x=1', '/v1/%6de;x=1', ''],
  ['/?limit[]=1&q={a|b}^`\\', '/', 'limit[]=1&q={a|b}^`\\'],
  ['http://localhost/v1/me', '/v1/me', '', 'localhost'],
  ['HTTPS://Chat.Example:443/v1/me?a', '/v1/me', 'a', 'Chat.Example:443'],
  ['http://localhost', '/', '', 'localhost'],
  ['http://localhost?a=b', '/', 'a=b', 'localhost'],
];
test.each(VALID)('%s has the path %j and the query %j', (target, path, query, authority) => {
  expect(parseTarget('GET', target)).toEqual({ path, query, authority });
});

const INVALID = [
  ...['', '*', 'x', '?x', 'v1/me', 'localhost:80', '\\v1\\me', 'foo://?x', 'foo://', 'a://?', 'http://?x'],
  ...[
    'http://',
    'http:/v1/me',
    'http:v1/me',
    'foo://localhost/v1/me',
    'file:///etc/passwd',
    'javascript:alert(1)',
  ],
  ...[
    '/v1/me#f',
    '/v1/me?a#f',
    'http://localhost/#f',
    '/v1/me x',
    '/v1/me\t',
    '/v1/m\u007fe',
    '/v1/m\u0001e',
  ],
  ...[
    '/v1/m\u00ffe',
    '/v1/dm/\u5f20',
    '/v1/me?q=\u00e4',
    '/v1/"me"',
    '/v1/<me>',
    '/v1/{me}',
    '/v1/me|x',
    '/v1/me\\',
  ],
];
test.each(INVALID)('rejects the target %j', (target) => expect(parseTarget('GET', target)).toBeUndefined());

test('accepts the target * only for OPTIONS', () => {
  expect(parseTarget('OPTIONS', '*')).toMatchObject({ path: '*', query: '' });
  expect(parseTarget('GET', '*')).toBeUndefined();
});

test('a parsed target can be put together again, and no input throws', () => {
  const part = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom('/', '?', '#', '://', 'http', '[', '::1', ']', '@', ':', '%', '*', 'localhost'),
  );
  const targets = fc.array(part, { maxLength: 12 }).map((parts) => parts.join(''));
  fc.assert(
    fc.property(targets, (target) => {
      const parsed = parseTarget('GET', target);
      shownPath(target);
      if (!parsed || parsed.authority !== undefined) return;
      expect(target === parsed.path || target === `${parsed.path}?${parsed.query}`).toBe(true);
      expect(target).toMatch(/^\/[!-~]*$/);
    }),
    { numRuns: 1_000 },
  );
});

describe('over HTTP', () => {
  // Regression: "foo://?x" and "http://[::1/v1/me" got 500, because two libraries parsed the target differently.
  test.each([
    ...[
      'http://?x',
      'foo://?x',
      'foo://',
      'a://?',
      'http://[::1/v1/me',
      'http://[/v1/me',
      'http://localhost:x/',
    ],
    ...[
      'http://localhost:99999/',
      'http://user:pw@localhost/v1/me',
      'http://@localhost/',
      'https://',
      'x',
      '*',
      '?x',
    ],
    ...[
      '127.0.0.1:80',
      'mailto:a@b',
      '/v1/me#f',
      '/v1/me?a=b#f',
      '/v1/{me}',
      '/v1/m\x7fe',
      '/v1/m\xffe',
      '/v1/\x01',
    ],
  ])('the target %j gets 400, and the connection closes', async (target) => {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const answer = await sendRaw(theNode(), requestBytes(`${method} ${target}`));
      expectProblem(answer, 'validation_failed');
      expect(answer.headers['connection']).toBe('close');
    }
  });

  test.each(['http://localhost', 'HTTP://127.0.0.1:1', 'https://[::1]:3000'])(
    'an absolute target with a served host is equivalent to its path: %s',
    async (origin) => {
      const node = theNode();
      const { token } = await person(node, 'alice');
      const auth = `Authorization: Bearer ${token}`;
      const me = await sendBytes(node, requestBytes(`GET ${origin}/v1/me`, auth));
      expect([me.status, me.text.includes('"alice"')]).toEqual([200, true]);
      expect((await sendBytes(node, requestBytes(`GET ${origin}/v1/online?limit=1`, auth))).status).toBe(200);
      expectProblem(
        await sendBytes(node, requestBytes(`GET ${origin}/v1/online?limit=0`, auth)),
        'validation_failed',
        'query/limit',
      );
      expect((await sendBytes(node, requestBytes(`GET ${origin}/docs`))).headers['content-type']).toMatch(
        /^text\/html/,
      );
      expect((await sendBytes(node, requestBytes(`GET ${origin}`))).headers['content-type']).toMatch(
        /^text\/html/,
      );
      expectProblem(await sendBytes(node, requestBytes(`GET ${origin}/nothing`)), 'not_found');
    },
  );

  test('OPTIONS * gets 405 with the allowed methods', async () => {
    const answer = await sendBytes(theNode(), requestBytes('OPTIONS *'));
    expectProblem(answer, 'method_not_allowed');
    expect(answer.headers['allow']).toMatch(/GET/);
  });
});

test('log lines contain a truncated path and never a query', async () => {
  const { log, lines, text } = recorder();
  const node = await startNode({}, { log });
  const long = 'x'.repeat(15_000);
  for (const target of [
    `/${long}?secret`,
    `/v1/users/${long}?secret`,
    `foo://${long}?secret`,
    `/${long}#?secret`,
  ])
    expect((await sendBytes(node, requestBytes(`GET ${target}`))).text.length).toBeLessThan(2_000);
  const requests = () => lines().filter(({ msg }) => msg === 'request');
  await until('all are logged', () => requests().length === 4);
  for (const { path } of requests()) expect(path.length).toBeLessThan(300);
  expect(text()).not.toContain('secret');
});
