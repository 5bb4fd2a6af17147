/** The one place that relies on internals of Node's HTTP server: `npm run runtimes` runs this file on every tested version. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { handOverConnections } from '../../../src/http/connection-handover.ts';
import { until } from '../../kit/app.ts';

const TAKEN = 'GET /taken HTTP/1.1\r\nHost: a\r\n\r\n';
const OTHER = 'GET /other HTTP/1.1\r\nHost: a\r\n\r\n';

let server: Server;
let client: Socket;
let events: string[];
let taken: Array<Socket & { parser?: object | null }>;
let finish: () => void;
let output: string;

beforeEach(async () => {
  [events, taken, output, finish] = [[], [], '', () => {}];
  server = createServer();
  handOverConnections(server, ({ url }) => url === '/taken');
  server.on('request', (req, res) => {
    events.push(`request ${req.url}`);
    finish = () => res.end('served');
    if (req.url !== '/slow') finish();
  });
  server.on('connect', (_req, socket) => {
    events.push('connect');
    socket.destroy();
  });
  server.on('upgrade', (req, socket: Socket) => {
    events.push(`handed over ${req.url}`);
    taken.push(socket);
    socket.on('error', () => {}).resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {}).setEncoding('utf8');
  client.on('data', (text) => {
    output += text;
  });
  await once(client, 'connect');
});

afterEach(async () => {
  client.destroy();
  for (const socket of taken) socket.destroy(); // not the server's any more
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

/** Waits for this many events, and for a moment in which more would follow. */
async function settled(howMany: number): Promise<void> {
  await until('the events', () => events.length >= howMany);
  await sleep(50);
}

test('hands over the socket itself, without a parser', async () => {
  client.write(TAKEN);
  await settled(1);
  expect(events).toEqual(['handed over /taken']);
  expect(taken[0]).toBeInstanceOf(Socket);
  expect(taken[0]!.parser ?? null).toBeNull();
  taken[0]!.write('hello');
  await until('it arrives', () => output === 'hello');
});

test('hands over a connection on which requests were served', async () => {
  client.write(OTHER);
  await until('it is served', () => output.endsWith('served'));
  client.write(TAKEN);
  await settled(2);
  expect(events).toEqual(['request /other', 'handed over /taken']);
});

test('does not parse what follows, in the same packet or later', async () => {
  client.write(TAKEN + OTHER + TAKEN);
  await settled(1);
  client.write(`${OTHER}\0 not HTTP`);
  await settled(1);
  expect(events).toEqual(['handed over /taken']);
});

test('serves other requests as usual, also when the client asks for an upgrade', async () => {
  client.write('GET /other HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n');
  await settled(1);
  client.write(OTHER);
  await settled(2);
  expect(events).toEqual(['request /other', 'request /other']);
});

test.each([
  ['a length', 'Content-Length: 10\r\n\r\n012', '3456789'],
  ['chunks', 'Transfer-Encoding: chunked\r\n\r\na\r\n012', '3456789\r\n0\r\n\r\n'],
])('serves a request with a body of %s once, as usual', async (_name, head, rest) => {
  client.write(`GET /taken HTTP/1.1\r\nHost: a\r\n${head}`);
  await settled(1);
  client.write(rest + OTHER);
  await settled(2);
  expect(events).toEqual(['request /taken', 'request /other']);
});

test('serves a request as usual while a response is pending', async () => {
  client.write(`GET /slow HTTP/1.1\r\nHost: a\r\n\r\n${TAKEN}`);
  await settled(2);
  expect(events).toEqual(['request /slow', 'request /taken']);
});

test('leaves CONNECT to its own event', async () => {
  client.write('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n');
  await settled(1);
  expect(events).toEqual(['connect']);
});
