/** Input that never becomes a request gets a problem, after all pending responses and never inside another response. */
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { respondRaw } from '../../../src/http/raw-responses.ts';
import { type Person, person, sharedNode, until } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { answerOf, exchangeRaw, expectProblem, sendRaw } from '../../kit/http.ts';

const theNode = sharedNode();
const GARBAGE = 'what?\r\n\r\n';

const requestText = (who: Person, line: string, ...more: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${who.token}`, ...more, '', ''].join('\r\n');

function postBroadcast(who: Person, message: string): string {
  const body = JSON.stringify({ text: message });
  const head = ['Content-Type: application/json', `Content-Length: ${body.length}`];
  return requestText(who, 'POST /v1/broadcasts', ...head) + body;
}

const statuses = (output: string): string[] => output.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];
const exchange = (bytes: string, isWhole = false) => exchangeRaw(theNode(), bytes, { isWhole });

describe('pending responses are sent first', () => {
  // Regression: a stored send could get 400, because the response to the garbage behind it was sent first.
  test.each([false, true])(
    'a send that is followed by garbage gets its 201 (half-closed: %s)',
    async (isWhole) => {
      const alice = await person(theNode(), 'alice');
      const message = `before garbage ${isWhole}`;
      const output = await exchange(postBroadcast(alice, message) + GARBAGE + GARBAGE, isWhole);
      expect(statuses(output)).toEqual(['201', '400']);
      const history = await call(theNode(), 'listBroadcasts', { token: alice.token });
      expect(history.body.messages.at(-1).text).toBe(message);
    },
  );

  test('many requests followed by garbage get their responses in order', async () => {
    const alice = await person(theNode(), 'alice');
    const messages = ['one', 'two', 'three'];
    const output = await exchange(
      messages.map((each) => postBroadcast(alice, each)).join('') +
        requestText(alice, 'GET /livez') +
        GARBAGE,
    );
    expect(statuses(output)).toEqual(['201', '201', '201', '200', '400']);
    expect(output.match(/"text":"\w+"/g)).toEqual(messages.map((each) => `"text":"${each}"`));
    expectProblem(answerOf(output.slice(output.lastIndexOf('HTTP/1.1'))), 'validation_failed');
  });

  test('garbage that arrives while a response is pending does not replace it', async () => {
    const alice = await person(theNode(), 'alice');
    const socket = connect(Number(new URL(theNode().url).port), '127.0.0.1');
    socket.write(postBroadcast(alice, 'slow'));
    await once(socket, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i += 1) socket.write(GARBAGE);
    const output = (await socket.setEncoding('utf8').toArray()).join('');
    expect(statuses(output)).toEqual(['201', '400']);
  });
});

describe('a body that is truncated or invalid', () => {
  const CHUNKED = 'Transfer-Encoding: chunked';

  test('gets a problem if the operation reads it', async () => {
    const alice = await person(theNode(), 'alice');
    const post = requestText(alice, 'POST /v1/broadcasts', 'Content-Type: application/json', CHUNKED);
    expect(statuses(await exchange(`${post}zz\r\n`))).toEqual(['400']);
    expect(statuses(await exchange(`${requestText(alice, 'GET /v1/me')}${post}zz\r\n`))).toEqual([
      '200',
      '400',
    ]);
    expect(statuses(await exchange(`${post}1;${'x'.repeat(20_000)}\r\n`))).toEqual(['413']);
  });

  test('does not affect the response of an operation that takes no body', async () => {
    const alice = await person(theNode(), 'alice');
    const requests = [
      [requestText(alice, 'GET /v1/me', CHUNKED), '200'],
      [requestText({ ...alice, token: 'x' }, 'POST /v1/broadcasts', CHUNKED), '401'],
      [requestText(alice, 'POST /v1/nothing', CHUNKED), '404'],
      [requestText(alice, 'POST /v1/events/ticket', CHUNKED), '201'],
      [requestText(alice, 'GET /v1/events', CHUNKED), '200'], // a stream that begins and ends immediately
      [requestText({ ...alice, token: 'x' }, 'GET /v1/events', CHUNKED), '401'],
      [requestText(alice, 'GET /v1/events?presence=x', CHUNKED), '400'],
    ] as const;
    for (const [head, status] of requests)
      expect(statuses(await exchange(`${head}zz\r\nzz\r\n`))).toEqual([status]);
  });

  // Regression: the 400 was written into the chunked stream.
  test('ends a stream without writing into it', async () => {
    const alice = await person(theNode(), 'alice');
    const socket = connect(Number(new URL(theNode().url).port), '127.0.0.1').setEncoding('utf8');
    onTestFinished(() => void socket.destroy());
    let output = '';
    socket.on('data', (chunk) => {
      output += chunk;
    });
    socket.on('error', () => {});
    socket.write(requestText(alice, 'GET /v1/events', CHUNKED));
    await until('the stream is ready', () => output.includes('event: ready'));
    socket.write('zz\r\n');
    await once(socket, 'close');
    expect(statuses(output)).toEqual(['200']);
  });
});

describe('a raw response', () => {
  const SAFE = {
    'cache-control': 'no-store',
    connection: 'close',
    'content-security-policy': expect.stringContaining("default-src 'none'"),
    'content-type': 'application/problem+json',
    date: expect.stringMatching(/GMT$/),
    'x-content-type-options': 'nosniff',
    'x-request-id': expect.stringMatching(/^[\w-]{36}$/),
  };

  test.each([
    ['garbage', GARBAGE],
    ['a head that is too long', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    [
      'a path that is not percent-encoded',
      Buffer.from('GET /v1/dm/\u5f20 HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    ],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n'],
    ['no Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ])('is a problem with all security headers: %s', async (_, bytes) => {
    const { headers, body } = await sendRaw(theNode(), bytes, { isWhole: false });
    expect(headers).toMatchObject(SAFE);
    expect(body.requestId).toBe(headers['x-request-id']);
  });

  test('explains how to send a non-ASCII path', async () => {
    const bytes = Buffer.from('GET /v1/dm/\u5f20 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect((await sendRaw(theNode(), bytes)).body.detail).toContain('Percent-encode');
  });

  test('to HEAD has a Content-Length but no body', async () => {
    const host = 'Host: localhost\r\n';
    const bad = [
      `HEAD / HTTP/1.1\r\n${host}X: \0\r\n\r\n`,
      `HEAD /${'a'.repeat(20_000)} HTTP/1.1\r\n${host}\r\n`,
      `HEAD / HTTP/1.1\r\nContent-Length: x\r\n\r\n`,
    ];
    for (const bytes of bad) {
      const { text, headers } = await sendRaw(theNode(), bytes);
      expect([text, Number(headers['content-length']) > 100]).toEqual(['', true]);
    }
    const output = await exchangeRaw(theNode(), `GET /livez HTTP/1.1\r\n${host}\r\n${bad[0]}`, {
      isWhole: false,
    });
    expect(statuses(output)).toEqual(['200', '400']);
    expect(output).toMatch(/Connection: close\r\n\r\n$/);
  });
});

test('CONNECT gets 405 with the allowed methods, after pending responses', async () => {
  const alice = await person(theNode(), 'alice');
  expectProblem(
    await sendRaw(theNode(), requestText(alice, 'CONNECT example.com:443')),
    'method_not_allowed',
  );
  const output = await exchange(
    postBroadcast(alice, 'x') +
      requestText(alice, 'GET /v1/me') +
      requestText(alice, 'CONNECT a:1') +
      requestText(alice, 'GET /livez'),
  );
  expect(statuses(output)).toEqual(['201', '200', '405']);
});

describe('a request that does not arrive in time', () => {
  /** A server with short timeouts. */
  async function impatientServer(serve: (req: http.IncomingMessage, res: http.ServerResponse) => void) {
    const timeouts = { requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 50 };
    const server = http.createServer(timeouts, serve);
    respondRaw(server, [], ['GET']);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const head = (more: string) => `POST / HTTP/1.1\r\nHost: x\r\n${more}`;
  const SHORT = head('Content-Length: 20\r\n\r\n12345');

  test('gets 408', async () => {
    const server = await impatientServer(
      (req, res) => void req.on('data', () => {}).on('end', () => res.end()),
    );
    for (const bytes of ['', head(''), SHORT])
      expect(statuses(await exchangeRaw(server, bytes, { isWhole: false }))).toEqual(['408']);
  });

  test('gets no second response', async () => {
    const server = await impatientServer((_req, res) => void res.end('early'));
    const output = await exchangeRaw(server, SHORT, { isWhole: false });
    expect(statuses(output)).toEqual(['200']);
    expect(output).toMatch(/\r\n\r\nearly$/);
  });

  // Regression: "HTTP/1.1 408" was written into the chunked stream, 30 s after its start.
  test('writes nothing into a stream', async () => {
    const server = await impatientServer((_req, res) => {
      Object.assign(res, { operation: 'openStream' }).write('retry: 1\n\n');
    });
    const output = await exchangeRaw(server, SHORT, { isWhole: false }).catch(() => 'reset');
    expect(output === 'reset' || statuses(output).join() === '200').toBe(true);
  });
});
