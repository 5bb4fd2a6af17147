/** An event stream on the wire: its connection is its own. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { type Person, person, startNode, until } from '../support/app.ts';

/** A bare connection, and everything that has come so far. */
async function dial({ node }: Person) {
  const { hostname, port } = new URL(node.url);
  const socket = connect(Number(port), hostname);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  const wire = { socket, said: '', isOver: false };
  socket.setEncoding('utf8').on('data', (text) => {
    wire.said += text;
  });
  socket.on('end', () => {
    wire.isOver = true;
  });
  return wire;
}

const ask = ({ token }: Person, line: string, ...more: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: localhost', `Authorization: Bearer ${token}`, ...more, '', ''].join('\r\n');

test('a stream is not in chunks: it ends with its connection', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.said.includes('event: ready'));
  const [head = '', body = ''] = wire.said.split('\r\n\r\n', 2);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(head).toContain('Connection: close');
  expect(head).toMatch(/\r\nDate: /);
  expect(head).not.toContain('Transfer-Encoding');
  expect(body).toMatch(/^retry: \d+\n/);
});

test('what a client sends after it has asked for a stream is not heard', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask(alice, 'GET /v1/events') + ask(alice, 'GET /v1/me'));
  await until('it is ready', () => wire.said.includes('event: ready'));
  wire.socket.write(ask(alice, 'GET /v1/me'));
  const other = await dial(alice);
  other.socket.write(ask(alice, 'GET /v1/me'));
  await until('another connection is answered', () => other.said.includes('"username"'));
  expect(wire.said.match(/HTTP\/1\.1/g)).toHaveLength(1);
});

test('a stream that is asked for while an answer is due comes after it', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask(alice, 'GET /v1/me') + ask(alice, 'GET /v1/events?presence=off'));
  await until('it is ready', () => wire.said.includes('event: ready'));
  expect(wire.said.indexOf('"username":"alice"')).toBeLessThan(wire.said.indexOf('event: ready'));
  expect(wire.said.match(/HTTP\/1\.1 200/g)).toHaveLength(2);
});

test('a stream on a connection that was used before', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask(alice, 'GET /v1/me'));
  await until('it is answered', () => wire.said.endsWith('}'));
  wire.socket.write(ask(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.said.includes('event: ready'));
});

test('a stream that is refused is answered with a problem, and the connection ends', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask({ ...alice, token: 'nonsense' }, 'GET /v1/events'));
  await until('it is over', () => wire.isOver);
  expect(wire.said).toMatch(/^HTTP\/1\.1 401 /);
  const { code } = JSON.parse(wire.said.split('\r\n\r\n')[1]!);
  expect(code).toBe('unauthenticated');
});

test('nothing else is upgraded, whatever a client asks for', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQ'];
  wire.socket.write(ask(alice, 'GET /v1/me', ...upgrade));
  await until('it is answered', () => wire.said.includes('"username":"alice"'));
  wire.socket.write(ask(alice, 'HEAD /v1/events', ...upgrade));
  await until('it is refused', () => wire.said.includes('HTTP/1.1 405'));
});

test('who closes their half of a stream ends it', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  wire.socket.write(ask(alice, 'GET /v1/events'));
  await until('it is ready', () => wire.said.includes('event: ready'));
  wire.socket.end();
  await until('it is over', () => wire.isOver);
});

// Node asks again when more of a request comes; a body that came late made a second stream request of the first.
test('a stream that is asked for with a body is answered once', async () => {
  const alice = await person(await startNode(), 'alice');
  const wire = await dial(alice);
  const stream = ask({ ...alice, token: 'nonsense' }, 'GET /v1/events', 'Content-Length: 10');
  wire.socket.write(`${ask(alice, 'GET /v1/me')}${stream}012`);
  await until('both are answered', () => wire.said.includes('HTTP/1.1 401'));
  wire.socket.write(`3456789${ask(alice, 'GET /v1/online')}`);
  await until('the next is answered', () => wire.said.includes('"total"') || wire.isOver);
  expect(wire.said.match(/HTTP\/1\.1 401/g)).toHaveLength(1);
});
