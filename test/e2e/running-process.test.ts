/** A running node reads no files: an upgrade may replace them, and file descriptors may run out. */
import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { loadContract } from '../../src/http/openapi.ts';
import { JWT_SECRET, login, person, type TestNode, until } from '../kit/app.ts';
import { send } from '../kit/http.ts';
import { startProcess } from '../kit/process.ts';

const ROOT = new URL('../..', import.meta.url).pathname;
const BODIES: Record<string, object> = {
  register: { username: 'carol', password: 'correct horse battery' },
  login: { username: 'alice', password: 'correct horse battery' },
  updateMe: { displayName: 'Alice L.' },
  sendBroadcast: { text: 'hello' },
  sendDirect: { text: 'hello' },
};

/** Returns the status of every operation except the stream, and of every page. Calls `logout` last. */
async function requestEverything(
  node: TestNode,
  token: string,
  refreshToken: string,
): Promise<Record<string, number>> {
  const statuses: Record<string, number> = {};
  const operations = loadContract().routes.filter(({ operationId }) => operationId !== 'openStream');
  operations.sort((a, b) => Number(a.operationId === 'logout') - Number(b.operationId === 'logout'));
  for (const { operationId, method, path } of operations) {
    const body = operationId === 'refresh' ? { refreshToken } : BODIES[operationId];
    const options = { token, ...(body && { body }) };
    statuses[operationId] = (await send(node, method, path.replace('{username}', 'bob'), options)).status;
  }
  for (const path of ['/', '/docs', '/docs/docs.js', '/openapi.yaml', '/openapi.json'])
    statuses[path] = (await send(node, 'GET', path)).status;
  return statuses;
}

test('every operation and page works after the source files were removed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-running-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const each of ['src', 'clients', 'openapi.yaml', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const prefix = `test-running-${process.pid}:`;
  const settings = { REDIS_URL: inject('redisUrl'), JWT_SECRET, KEY_PREFIX: prefix };
  const parley = await startProcess(settings, folder, join(folder, 'src/main.ts'));
  const node = { url: parley.url, prefix } as TestNode;
  renameSync(join(folder, 'src'), join(folder, 'src.old'));
  renameSync(join(folder, 'clients'), join(folder, 'clients.old'));
  renameSync(join(folder, 'openapi.yaml'), join(folder, 'openapi.old'));
  await person(node, 'bob');
  const { token } = await person(node, 'alice');
  const { refreshToken } = await login(node, 'alice'); // `logout` ends the other session
  const statuses = await requestEverything(node, token, refreshToken);
  expect(Object.entries(statuses).filter(([, status]) => status >= 400 && status !== 404)).toEqual([
    ['ackMailbox', 400], // it got no body
  ]);
  expect(statuses).toMatchObject({ sendDirect: 201, refresh: 200, logout: 204, '/docs': 200 });
  expect(parley.output()).not.toMatch(/ENOENT|unavailable/);
});

test('open connections are served when no file descriptors are free', async () => {
  const prefix = `test-descriptors-${process.pid}:`;
  const settings = { REDIS_URL: inject('redisUrl'), JWT_SECRET, KEY_PREFIX: prefix };
  const parley = await startProcess(
    { ...settings, NETWORK_CONNECTIONS: '0' },
    undefined,
    undefined,
    'ulimit -n 128',
  );
  const node = { url: parley.url, prefix } as TestNode;
  const { port } = new URL(parley.url);
  const request = (socket: net.Socket, text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once('data', (bytes) => resolve(bytes.toString()));
      socket.once('close', () => reject(new Error('closed')));
      socket.write(text);
    });
  const open = (): Promise<net.Socket> =>
    new Promise((resolve) => {
      const socket = net.connect(Number(port), '127.0.0.1', () => resolve(socket));
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
    });
  await person(node, 'bob');
  const { token } = await person(node, 'alice');
  const established = await open();
  expect(await request(established, 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')).toContain(' 200 ');
  const others: net.Socket[] = [];
  await until('no descriptor is free', async () => {
    const socket = await open();
    others.push(socket);
    const response = request(socket, 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n').catch(() => 'closed');
    const timeout = new Promise<string>((resolve) => setTimeout(resolve, 1_000, 'timeout'));
    return !(await Promise.race([response, timeout])).includes(' 200 ');
  });
  const head = `HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;
  const body = '{"text":"hello"}';
  for (const [text, status] of [
    [
      `POST /v1/dm/bob ${head}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      201,
    ],
    [`GET /v1/dm ${head}\r\n`, 200],
    [`GET /v1/mailbox ${head}\r\n`, 200],
    [`GET /docs/icon.svg ${head}\r\n`, 200],
    [`POST /v1/logout ${head}\r\n`, 204],
  ] as const)
    expect(await request(established, text), text.split('\r\n')[0]).toContain(`HTTP/1.1 ${status} `);
});
