/** What never becomes a request: answered as a problem, after all that is due, and never into an answer that has begun. */
import { once } from 'node:events';
import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { respondRaw } from '../../src/http/raw-responses.ts';
import { type Person, person, sharedNode, until } from '../support/app.ts';
import { call } from '../support/contract.ts';
import { answerOf, exchangeRaw, expectProblem, sendRaw } from '../support/http.ts';

const theNode = sharedNode();
const RUBBISH = 'what?\r\n\r\n';

const ask = (who: Person, line: string, ...more: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${who.token}`, ...more, '', ''].join('\r\n');

function sending(who: Person, words: string): string {
  const body = JSON.stringify({ text: words });
  const head = ['Content-Type: application/json', `Content-Length: ${body.length}`];
  return ask(who, 'POST /v1/broadcasts', ...head) + body;
}

const statuses = (said: string): string[] => said.match(/(?<=HTTP\/1\.1 )\d{3}/g) ?? [];
const talk = (bytes: string, isWhole = false) => exchangeRaw(theNode(), bytes, { isWhole });

describe('what is due leaves first', () => {
  // A send that was stored could be answered with 400: the rubbish behind it was told first.
  test.each([false, true])(
    'a send that is followed by rubbish gets its 201 (half closed: %s)',
    async (isWhole) => {
      const alice = await person(theNode(), 'alice');
      const words = `before rubbish ${isWhole}`;
      const said = await talk(sending(alice, words) + RUBBISH + RUBBISH, isWhole);
      expect(statuses(said)).toEqual(['201', '400']);
      const history = await call(theNode(), 'listBroadcasts', { token: alice.token });
      expect(history.body.messages.at(-1).text).toBe(words);
    },
  );

  test('many requests and then rubbish: each gets its answer, in order', async () => {
    const alice = await person(theNode(), 'alice');
    const words = ['one', 'two', 'three'];
    const said = await talk(
      words.map((each) => sending(alice, each)).join('') + ask(alice, 'GET /livez') + RUBBISH,
    );
    expect(statuses(said)).toEqual(['201', '201', '201', '200', '400']);
    expect(said.match(/"text":"\w+"/g)).toEqual(words.map((each) => `"text":"${each}"`));
    expectProblem(answerOf(said.slice(said.lastIndexOf('HTTP/1.1'))), 'validation_failed');
  });

  test('rubbish that comes in a packet of its own, while an answer is due', async () => {
    const alice = await person(theNode(), 'alice');
    const socket = connect(Number(new URL(theNode().url).port), '127.0.0.1');
    socket.write(sending(alice, 'slow'));
    await once(socket, 'connect');
    await new Promise((resolve) => setImmediate(resolve));
    for (let i = 0; i < 20; i += 1) socket.write(RUBBISH);
    const said = (await socket.setEncoding('utf8').toArray()).join('');
    expect(statuses(said)).toEqual(['201', '400']);
  });
});

describe('a body that breaks off or is none', () => {
  const CHUNKED = 'Transfer-Encoding: chunked';

  test('is a problem where it is waited for', async () => {
    const alice = await person(theNode(), 'alice');
    const post = ask(alice, 'POST /v1/broadcasts', 'Content-Type: application/json', CHUNKED);
    expect(statuses(await talk(`${post}zz\r\n`))).toEqual(['400']);
    expect(statuses(await talk(`${ask(alice, 'GET /v1/me')}${post}zz\r\n`))).toEqual(['200', '400']);
    expect(statuses(await talk(`${post}1;${'x'.repeat(20_000)}\r\n`))).toEqual(['413']);
  });

  test('changes nothing about the one answer of a request that does not want it', async () => {
    const alice = await person(theNode(), 'alice');
    const unwanted = [
      [ask(alice, 'GET /v1/me', CHUNKED), '200'],
      [ask({ ...alice, token: 'x' }, 'POST /v1/broadcasts', CHUNKED), '401'],
      [ask(alice, 'POST /v1/nothing', CHUNKED), '404'],
      [ask(alice, 'POST /v1/events/ticket', CHUNKED), '201'],
      [ask(alice, 'GET /v1/events', CHUNKED), '200'], // a stream that begins, and ends at once
      [ask({ ...alice, token: 'x' }, 'GET /v1/events', CHUNKED), '401'],
      [ask(alice, 'GET /v1/events?presence=x', CHUNKED), '400'],
    ] as const;
    for (const [head, status] of unwanted)
      expect(statuses(await talk(`${head}zz\r\nzz\r\n`))).toEqual([status]);
  });

  // The 400 stood in the middle of the chunked stream.
  test('ends a stream without a word in it', async () => {
    const alice = await person(theNode(), 'alice');
    const socket = connect(Number(new URL(theNode().url).port), '127.0.0.1').setEncoding('utf8');
    onTestFinished(() => void socket.destroy());
    let said = '';
    socket.on('data', (chunk) => {
      said += chunk;
    });
    socket.on('error', () => {});
    socket.write(ask(alice, 'GET /v1/events', CHUNKED));
    await until('it is ready', () => said.includes('event: ready'));
    socket.write('zz\r\n');
    await once(socket, 'close');
    expect(statuses(said)).toEqual(['200']);
  });
});

describe('an answer by hand', () => {
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
    ['rubbish', RUBBISH],
    ['a head too long', `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`],
    ['a path that is not encoded', Buffer.from('GET /v1/dm/\u5f20 HTTP/1.1\r\nHost: localhost\r\n\r\n')],
    ['CONNECT', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n'],
    ['no Host', 'GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n'],
  ])('is a problem with all that keeps browsers safe: %s', async (_, bytes) => {
    const { headers, body } = await sendRaw(theNode(), bytes, { isWhole: false });
    expect(headers).toMatchObject(SAFE);
    expect(body.requestId).toBe(headers['x-request-id']);
  });

  test('says how to write a path that is not ASCII', async () => {
    const bytes = Buffer.from('GET /v1/dm/\u5f20 HTTP/1.1\r\nHost: localhost\r\n\r\n');
    expect((await sendRaw(theNode(), bytes)).body.detail).toContain('Percent-encode');
  });

  test('to HEAD has no body, and says how long it would be', async () => {
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
    const after = await exchangeRaw(theNode(), `GET /livez HTTP/1.1\r\n${host}\r\n${bad[0]}`, {
      isWhole: false,
    });
    expect(statuses(after)).toEqual(['200', '400']);
    expect(after).toMatch(/Connection: close\r\n\r\n$/);
  });
});

test('a proxy is not what this is: CONNECT is told which methods are', async () => {
  const alice = await person(theNode(), 'alice');
  expectProblem(await sendRaw(theNode(), ask(alice, 'CONNECT example.com:443')), 'method_not_allowed');
  const said = await talk(
    sending(alice, 'x') + ask(alice, 'GET /v1/me') + ask(alice, 'CONNECT a:1') + ask(alice, 'GET /livez'),
  );
  expect(statuses(said)).toEqual(['201', '200', '405']);
});

describe('a request that does not come in time', () => {
  /** A server that does not wait long. */
  async function hasty(serve: (req: http.IncomingMessage, res: http.ServerResponse) => void) {
    const timeouts = { requestTimeout: 200, headersTimeout: 200, connectionsCheckingInterval: 50 };
    const server = http.createServer(timeouts, serve);
    respondRaw(server, [], ['GET']);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    onTestFinished(() => void server.close());
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }
  const head = (more: string) => `POST / HTTP/1.1\r\nHost: x\r\n${more}`;
  const SHORT = head('Content-Length: 20\r\n\r\n12345');

  test('is told so', async () => {
    const server = await hasty((req, res) => void req.on('data', () => {}).on('end', () => res.end()));
    for (const bytes of ['', head(''), SHORT])
      expect(statuses(await exchangeRaw(server, bytes, { isWhole: false }))).toEqual(['408']);
  });

  test('is not told a second time when it had its answer', async () => {
    const server = await hasty((_req, res) => void res.end('early'));
    const said = await exchangeRaw(server, SHORT, { isWhole: false });
    expect(statuses(said)).toEqual(['200']);
    expect(said).toMatch(/\r\n\r\nearly$/);
  });

  // "HTTP/1.1 408" stood in the chunked stream, 30 s after its beginning.
  test('says nothing into a stream', async () => {
    const server = await hasty((_req, res) => {
      Object.assign(res, { operation: 'openStream' }).write('retry: 1\n\n');
    });
    const said = await exchangeRaw(server, SHORT, { isWhole: false }).catch(() => 'reset');
    expect(said === 'reset' || statuses(said).join() === '200').toBe(true);
  });
});
