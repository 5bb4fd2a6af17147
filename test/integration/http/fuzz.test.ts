/** Random input: no response is a 5xx or inside another one, nothing hangs, and the node works afterwards. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { person, startNode } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { recorder } from '../../kit/log.ts';

const CASES = 2_000;
const CONNECTIONS = 32;
const HALF_CLOSE_AFTER_MS = 400;
const HANGS_AFTER_MS = 15_000;

/** xorshift32 with a fixed seed: the same cases in every run. */
function randomOf(seed: number) {
  let state = seed;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  return {
    pick: <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!,
    chance: (share: number): boolean => next() < share,
    below: (n: number): number => Math.floor(next() * n),
  };
}

const METHODS = [
  'GET',
  'GET',
  'GET',
  'POST',
  'POST',
  'HEAD',
  'OPTIONS',
  'PATCH',
  'DELETE',
  'TRACE',
  'CONNECT',
  'get',
  'PRI',
  '',
];
const PATHS = [
  '/',
  '/docs',
  '/docs/docs.js',
  '/openapi.json',
  '/livez',
  '/readyz',
  '/v1/me',
  '/v1/online',
  '/v1/dm',
  '/v1/dm/peer',
];
const MORE_PATHS = [
  '/v1/users/peer',
  '/v1/broadcasts',
  '/v1/mailbox',
  '/v1/mailbox/ack',
  '/v1/events',
  '/v1/events/ticket',
  '/v1/login',
];
const QUERIES = [
  '',
  '',
  '',
  '?',
  '?limit=1',
  '?limit=-1',
  '?limit[]=1',
  '?ticket=x',
  '?ticket=',
  '?lastEventId=',
  '?%zz',
  '?__proto__=1',
  '?a#b',
];
const ORIGINS = [
  'http://?',
  'foo://',
  'foo://?',
  'a://',
  'http://[::1',
  'http://[',
  'http://evil.example',
  'http://localhost',
  'http://',
  '//evil',
];
const TAILS = ['', '/', '%00', '%zz', '%ff', ';a=b', '\x7f', '\xff\xfe', '\x01', '/..', '#f', ' x'];
const HOSTS = [
  'localhost',
  'localhost',
  'localhost',
  '127.0.0.1:80',
  'evil.example',
  '',
  'a b',
  '[::1]',
  '[::1',
  '\xff',
  'localhost\r\nHost: b',
];
const HEADERS = [
  ...[
    'Content-Length: 5',
    'Content-Length: 0',
    'Content-Length: -1',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 70000',
  ],
  ...[
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x',
    'Transfer-Encoding: chunked\r\nContent-Length: 4',
    'Expect: 100-continue',
  ],
  ...[
    'Expect: x',
    'Upgrade: websocket\r\nConnection: Upgrade',
    'Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings',
    'Connection: close',
  ],
  ...[
    `X: ${'a'.repeat(17_000)}`,
    'X:\0',
    ': x',
    'X Y: z',
    'X: a\rY: b',
    ' folded',
    'Content-Type: text/plain',
    'Content-Encoding: br',
  ],
  ...[
    'Content-Type: application/json;',
    'Content-Type: application/json; charset="',
    'Last-Event-ID:',
    'Last-Event-ID: \xff',
    'Last-Event-ID: 0~0',
  ],
  ...[
    'Idempotency-Key:',
    'Idempotency-Key: "',
    'X-Request-Id: <x>',
    'Authorization: Bearer',
    'Range: bytes=-1',
    'If-Match: "x"',
    'Origin: null',
  ],
];
const BODIES = [
  '',
  '{',
  '{}',
  'null',
  '\xef\xbb\xbf{}',
  '\xff\xfe',
  '{"text":"hello"}',
  '[[[[',
  '0\r\n\r\n',
  '5\r\nhello\r\n0\r\n\r\n',
  'zz\r\n',
  'FFFFFFFFFFFFFFFFF\r\n',
];

function requestOf({ pick, chance, below }: ReturnType<typeof randomOf>, token: string): string {
  const path = pick([...PATHS, ...MORE_PATHS]) + (chance(0.2) ? pick(TAILS) : '') + pick(QUERIES);
  const target = chance(0.2)
    ? pick(ORIGINS) + (chance(0.7) ? path : '')
    : chance(0.05)
      ? pick(['*', 'x', '?x', 'a:1', ''])
      : path;
  const version = chance(0.95)
    ? 'HTTP/1.1'
    : pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/0.9', 'HTTP/9.9', '', 'RTSP/1.0']);
  const heads = chance(0.95) ? [`Host: ${pick(HOSTS)}`] : [];
  if (chance(0.6)) heads.push(`Authorization: Bearer ${token}`);
  const body = chance(0.4) ? pick(BODIES) : '';
  if (body && chance(0.7)) heads.push('Content-Type: application/json', `Content-Length: ${body.length}`);
  for (let n = chance(0.5) ? 1 + below(2) : 0; n > 0; n -= 1) heads.push(pick(HEADERS));
  return [`${pick(METHODS)} ${target} ${version}`, ...heads, '', body].join('\r\n');
}

/** Everything that the server sends until the connection ends; this side half-closes after a while. */
function exchange(port: number, bytes: string): Promise<string | 'hangs'> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1').setEncoding('latin1');
    let output = '';
    const halfClose = setTimeout(() => socket.end(), HALF_CLOSE_AFTER_MS);
    const hang = setTimeout(() => {
      resolve('hangs');
      socket.destroy();
    }, HANGS_AFTER_MS);
    socket.on('data', (text: string) => {
      output += text;
    });
    socket
      .on('error', () => {})
      .on('close', () => {
        clearTimeout(halfClose);
        clearTimeout(hang);
        resolve(output);
      });
    socket.write(bytes, 'latin1');
  });
}

test('two thousand random requests, single and pipelined', { timeout: 240_000 }, async () => {
  const { log, lines } = recorder();
  const node = await startNode({}, { log });
  const [alice] = [await person(node, 'alice'), await person(node, 'peer')];
  const random = randomOf(20_261_128);
  const cases = Array.from({ length: CASES }, () => {
    const count = random.chance(0.3) ? 2 + random.below(4) : 1;
    return { count, bytes: Array.from({ length: count }, () => requestOf(random, alice.token)).join('') };
  });
  const wrong: string[] = [];
  const queue = cases.values();
  const port = Number(new URL(node.url).port);
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      for (const { bytes } of queue) {
        const output = await exchange(port, bytes);
        const isBad =
          output === 'hangs' ||
          /HTTP\/1\.1 5\d\d /.test(output) ||
          /^Content-Type: text\/event-stream\r$(?=[\s\S]*HTTP\/1\.1 )/m.test(output);
        if (isBad) wrong.push(`${JSON.stringify(bytes.slice(0, 400))} → ${output.slice(0, 200)}`);
      }
    }),
  );
  expect(wrong).toEqual([]);
  expect(lines().filter(({ level }) => ['error', 'fatal'].includes(level))).toEqual([]);
  expect((await call(node, 'getMe', { token: alice.token })).status).toBe(200);
});
