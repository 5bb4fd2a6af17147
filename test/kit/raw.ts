/** Low-level connections: pipelined requests, unread responses, and other loopback networks. */
import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

type Target = { url: string };
type RawRequest = {
  method?: string;
  path: string;
  token?: string;
  body?: object;
  headers?: Record<string, string>;
};

/** One request as bytes. */
export function requestBytes({ method = 'GET', path, token, body, headers = {} }: RawRequest): string {
  const text = body ? JSON.stringify(body) : '';
  const lines = [
    `${method} ${path} HTTP/1.1`,
    'Host: localhost',
    ...(token ? [`Authorization: Bearer ${token}`] : []),
    ...(text ? ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(text)}`] : []),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\r\n')}\r\n\r\n${text}`;
}

/** Opens a connection from a loopback address; each address counts as a network of its own. */
export async function dial(node: Target, from = '127.0.0.1'): Promise<Socket> {
  const socket = connect({ port: Number(new URL(node.url).port), host: '127.0.0.1', localAddress: from });
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Everything received within `ms` or until the connection closes. */
export async function received(socket: Socket, ms: number): Promise<string> {
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await Promise.race([once(socket, 'close'), new Promise((resolve) => setTimeout(resolve, ms))]);
  return text;
}

export const statusesIn = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));

export type Reply = { status: number; retryAfter: number | undefined; text: string };

/** Sends one request on its own connection, or on one of `agent`. */
export function request(
  node: Target,
  { method = 'GET', path, token, body, headers = {} }: RawRequest,
  options: { from?: string; agent?: http.Agent } = {},
): Promise<Reply> {
  const bytes = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  return new Promise((resolve, reject) => {
    const outgoing = http.request(new URL(path, node.url), {
      ...{ method, agent: options.agent ?? false, localAddress: options.from ?? '127.0.0.1' },
      headers: {
        ...(token && { Authorization: `Bearer ${token}` }),
        ...(bytes && { 'Content-Type': 'application/json', 'Content-Length': bytes.length }),
        ...headers,
      },
    });
    outgoing.on('error', reject).on('response', async (response) => {
      const text = (await response.setEncoding('utf8').toArray()).join('');
      const wait = response.headers['retry-after'];
      const retryAfter = wait === undefined ? undefined : Number(wait);
      resolve({ status: response.statusCode ?? 0, retryAfter, text });
    });
    outgoing.end(bytes);
  });
}
