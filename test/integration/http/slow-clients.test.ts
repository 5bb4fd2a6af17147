/** Clients that hold a connection without using it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { startNode, type TestNode } from '../../kit/app.ts';
import { send } from '../../kit/http.ts';
import { within } from '../../kit/patience.ts';

const HEAD = 'POST /v1/login HTTP/1.1\r\nHost: localhost\r\n';
const JSON_HEAD = `${HEAD}Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n`;

/** Sends `first`, then `drip` every second; returns the response and the seconds until the server closes. */
async function closedAfter(node: TestNode, first: string, drip: string) {
  const socket = connect(node.address.port, '127.0.0.1');
  const dripping = setInterval(() => socket.write(drip), 1_000);
  onTestFinished(() => {
    clearInterval(dripping);
    socket.destroy();
  });
  const start = performance.now();
  let output = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    output += text;
  });
  socket.on('error', () => {});
  socket.write(first);
  await once(socket, 'close');
  clearInterval(dripping);
  return { seconds: (performance.now() - start) / 1_000, status: Number(output.split(' ')[1]) };
}

test('closes connections that are silent or send a head or a body too slowly, and serves others meanwhile', async () => {
  const node = await startNode();
  const clients = [
    closedAfter(node, '', ''),
    closedAfter(node, HEAD, 'X-More: a\r\n'),
    closedAfter(node, JSON_HEAD, ' '),
    closedAfter(node, JSON_HEAD, ''),
  ];
  // An earlier complete request does not extend the time for the next one.
  clients.push(closedAfter(node, `GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n${HEAD}`, 'X-More: a\r\n'));
  expect((await send(node, 'GET', '/livez')).status).toBe(200);
  const [silent, head, body, stalledBody, second] = await Promise.all(clients);
  for (const { seconds } of [silent!, head!, second!]) expect(seconds).toBeLessThan(within(13));
  for (const { seconds } of [body!, stalledBody!]) expect(seconds).toBeLessThan(within(18));
  for (const { seconds } of await Promise.all(clients)) expect(seconds).toBeGreaterThan(9);
  expect([silent, head, body].map((each) => each!.status)).toEqual([408, 408, 408]);
});
