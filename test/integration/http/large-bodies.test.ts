/** Large bodies are parsed one per turn of the event loop, so that they do not delay other requests. */
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { sharedNode } from '../../kit/app.ts';

const node = sharedNode();
const LARGE = 24;
const FIELDS = `{${Array.from({ length: 6_000 }, (_, index) => `"k${index}":0`).join(',')}}`;

test('a small request is served before most of the large bodies that arrive with it', async () => {
  const { hostname, port } = new URL(node().url);
  const order: string[] = [];
  const open = (name: string): Socket => {
    const socket = connect(Number(port), hostname);
    socket.once('data', () => order.push(name));
    return socket;
  };
  const head =
    `POST /v1/login HTTP/1.1\r\nHost: ${hostname}\r\nContent-Type: application/json\r\n` +
    `Content-Length: ${FIELDS.length}\r\n\r\n`;
  const large = Array.from({ length: LARGE }, () => open('large'));
  const small = open('small');
  for (const socket of large) socket.write(head + FIELDS.slice(0, -1));
  await new Promise((resolve) => setTimeout(resolve, 300)); // all but the last byte has arrived
  for (const socket of large) socket.write('}');
  small.write(`GET /livez HTTP/1.1\r\nHost: ${hostname}\r\n\r\n`);
  await Promise.all(
    [...large, small].map((socket) => new Promise((resolve) => socket.once('data', resolve))),
  );
  for (const socket of [...large, small]) socket.destroy();

  expect(order).toHaveLength(LARGE + 1);
  expect(order.indexOf('small')).toBeLessThan(LARGE - 3);
});
