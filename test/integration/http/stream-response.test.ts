/** Event streams on the wire: each takes over its connection. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type Person, person, startNode, until } from '../../kit/app.ts';

/** A bare connection that collects everything the server sends. */
async function dial({ node }: Person) {
  const { hostname, port } = new URL(node.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const wire = { socket, output: '', isOver: false };
  socket.setEncoding('utf8').on('data', (text) => {
    wire.output += text;
  });
  socket.on('end', () => {
    wire.isOver = true;
  });
  return wire;
}

const requestText = ({ token }: Person, line: string, ...more: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${token}`, ...more, '', ''].join('\r\n');

test('a stream is not chunked and ends with its connection', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.output.includes('event: ready'));
  const [head = '', body = ''] = wire.output.split('\r\n\r\n', 2);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(head).toContain('Connection: close');
  expect(head).toMatch(/\r\nDate: /);
  expect(head).not.toContain('Transfer-Encoding');
  expect(body).toMatch(/^retry: \d+\n/);
});

test('requests that follow a stream request on its connection are ignored', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText(alice, 'GET /v1/events') + requestText(alice, 'GET /v1/me'));
  await until('it is ready', () => wire.output.includes('event: ready'));
  wire.socket.write(requestText(alice, 'GET /v1/me'));
  const other = await dial(alice);
  other.socket.write(requestText(alice, 'GET /v1/me'));
  await until('another connection is served', () => other.output.includes('"username"'));
  expect(wire.output.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test('a stream that is requested while a response is pending follows it', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText(alice, 'GET /v1/me') + requestText(alice, 'GET /v1/events?presence=off'));
  await until('it is ready', () => wire.output.includes('event: ready'));
  expect(wire.output.indexOf('"username":"alice"')).toBeLessThan(wire.output.indexOf('event: ready'));
  expect(wire.output.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

test('a stream can be opened on a connection that has served a request', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText(alice, 'GET /v1/me'));
  await until('it is answered', () => wire.output.endsWith('}'));
  wire.socket.write(requestText(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.output.includes('event: ready'));
});

test('a rejected stream request gets a problem, and the connection closes', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText({ ...alice, token: 'nonsense' }, 'GET /v1/events'));
  await until('it is over', () => wire.isOver);
  expect(wire.output).toMatch(/^HTTP\/1\.1 401 /);
  const { code } = JSON.parse(wire.output.split('\r\n\r\n')[1]!);
  expect(code).toBe('unauthenticated');
});

test('upgrades that a client asks for are ignored', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ'];
  wire.socket.write(requestText(alice, 'GET /v1/me', ...upgrade));
  await until('it is answered', () => wire.output.includes('"username":"alice"'));
  wire.socket.write(requestText(alice, 'HEAD /v1/events', ...upgrade));
  await until('it is rejected', () => wire.output.includes('HTTP/1.1 405'));
});

test('a client that half-closes its connection ends its stream', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(requestText(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.output.includes('event: ready'));
  wire.socket.end();
  await until('it is over', () => wire.isOver);
});

// Regression: Node reads `upgrade` again when more bytes arrive, so a late body turned one stream request into two.
test('a stream request with a body gets one response', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  const stream = requestText({ ...alice, token: 'nonsense' }, 'GET /v1/events', 'Content-Length: 10');
  wire.socket.write(`${requestText(alice, 'GET /v1/me')}${stream}012`);
  await until('both have responses', () => wire.output.includes('HTTP/1.1 401'));
  wire.socket.write(`3456789${requestText(alice, 'GET /v1/online')}`);
  await until('the next request is served', () => wire.output.includes('"total"') || wire.isOver);
  expect(wire.output.match(/HTTP\/1\.1 401/g)).toHaveLength(1);
});
