/** Large bodies are parsed one per turn of the event loop, so that they do not delay other requests. */
import { connect, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { person, sharedNode, startNode } from '../../kit/app.ts';

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

test('when one uses up the budget of its account, those that arrived with it are not parsed', async () => {
  const node = await startNode({ ACCOUNT_BUDGET: '300/3000' });
  const { token } = await person(node, 'alice');
  const { hostname, port } = new URL(node.url);
  const head =
    `POST /v1/broadcasts HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${FIELDS.length}\r\n\r\n`;
  const sockets = Array.from({ length: 4 }, () => connect(Number(port), hostname));
  for (const socket of sockets) socket.write(head + FIELDS.slice(0, -1));
  await new Promise((resolve) => setTimeout(resolve, 300)); // all but the last byte has arrived
  for (const socket of sockets) socket.write('}');
  const replies = await Promise.all(
    sockets.map(
      (socket) => new Promise<string>((resolve) => socket.once('data', (bytes) => resolve(`${bytes}`))),
    ),
  );
  for (const socket of sockets) socket.destroy();

  expect(replies.map((reply) => reply.slice(9, 12)).sort()).toEqual(['400', '429', '429', '429']);
  const waits = replies.flatMap((reply) => /^retry-after: (\d+)/im.exec(reply)?.[1] ?? []).map(Number);
  expect(waits).toHaveLength(3);
  expect(
    Math.max(...waits) - Math.min(...waits),
    'a rejection is not charged as an invalid body',
  ).toBeLessThan(10);
});
