/** A node that runs needs nothing from the disk: its files may be replaced under it, and descriptors may run out. */
import { cpSync, mkdtempSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { loadContract } from '../src/http/openapi.ts';
import { JWT_SECRET, login, person, type TestNode, until } from './support/app.ts';
import { send } from './support/http.ts';
import { startProcess } from './support/process.ts';

const ROOT = new URL('..', import.meta.url).pathname;
const BODIES: Record<string, object> = {
  register: { username: 'carol', password: 'correct horse battery' },
  login: { username: 'alice', password: 'correct horse battery' },
  updateMe: { displayName: 'Alice L.' },
  sendBroadcast: { text: 'hello' },
  sendDirect: { text: 'hello' },
};

/** The status of every operation but the stream, and of pages; `logout` last. */
async function statuses(
  node: TestNode,
  token: string,
  refreshToken: string,
): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  const operations = loadContract().routes.filter(({ operationId }) => operationId !== 'openStream');
  operations.sort((a, b) => Number(a.operationId === 'logout') - Number(b.operationId === 'logout'));
  for (const { operationId, method, path } of operations) {
    const body = operationId === 'refresh' ? { refreshToken } : BODIES[operationId];
    const given = { token, ...(body && { body }) };
    found[operationId] = (await send(node, method, path.replace('{username}', 'bob'), given)).status;
  }
  for (const path of ['/', '/docs', '/docs/docs.js', '/openapi.yaml', '/openapi.json'])
    found[path] = (await send(node, 'GET', path)).status;
  return found;
}

test('an upgrade that moves the sources away is no fault of the store, nor of anything else', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-replaced-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const each of ['src', 'clients', 'openapi.yaml', 'package.json', 'tsconfig.json'])
    cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const prefix = `test-replaced-${process.pid}:`;
  const settings = { REDIS_URL: inject('redisUrl'), JWT_SECRET, KEY_PREFIX: prefix };
  const parley = await startProcess(settings, folder, join(folder, 'src/main.ts'));
  const node = { url: parley.url, prefix } as TestNode;
  renameSync(join(folder, 'src'), join(folder, 'src.old'));
  renameSync(join(folder, 'clients'), join(folder, 'clients.old'));
  renameSync(join(folder, 'openapi.yaml'), join(folder, 'openapi.old'));
  await person(node, 'bob');
  const { token } = await person(node, 'alice');
  const { refreshToken } = await login(node, 'alice'); // `logout` ends the other session
  const found = await statuses(node, token, refreshToken);
  expect(Object.entries(found).filter(([, status]) => status >= 400 && status !== 404)).toEqual([
    ['ackMailbox', 400], // it is given no body
  ]);
  expect(found).toMatchObject({ sendDirect: 201, refresh: 200, logout: 204, '/docs': 200 });
  expect(parley.output()).not.toMatch(/ENOENT|unavailable/);
});

test('no free descriptors: connections that are open are served', async () => {
  const prefix = `test-descriptors-${process.pid}:`;
  const settings = { REDIS_URL: inject('redisUrl'), JWT_SECRET, KEY_PREFIX: prefix };
  const parley = await startProcess(
    { ...settings, NETWORK_CONNECTIONS: '0' },
    undefined,
    undefined,
    'ulimit -n 64',
  );
  const node = { url: parley.url, prefix } as TestNode;
  const { port } = new URL(parley.url);
  const ask = (socket: net.Socket, request: string): Promise<string> =>
    new Promise((resolve, reject) => {
      socket.once('data', (bytes) => resolve(bytes.toString()));
      socket.once('close', () => reject(new Error('closed')));
      socket.write(request);
    });
  const open = (): Promise<net.Socket> =>
    new Promise((resolve) => {
      const socket = net.connect(Number(port), '127.0.0.1', () => resolve(socket));
      socket.on('error', () => {});
      onTestFinished(() => void socket.destroy());
    });
  await person(node, 'bob');
  const { token } = await person(node, 'alice');
  const ours = await open();
  expect(await ask(ours, 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')).toContain(' 200 ');
  const crowd: net.Socket[] = [];
  await until(
    'there is none left',
    async () => {
      const socket = await open();
      crowd.push(socket);
      const answer = ask(socket, 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n').catch(() => 'closed');
      const late = new Promise<string>((resolve) => setTimeout(resolve, 1_000, 'late'));
      return !(await Promise.race([answer, late])).includes(' 200 ');
    },
    15_000,
  );
  const head = `HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n`;
  const text = '{"text":"hello"}';
  for (const [request, status] of [
    [
      `POST /v1/dm/bob ${head}Content-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      201,
    ],
    [`GET /v1/dm ${head}\r\n`, 200],
    [`GET /v1/mailbox ${head}\r\n`, 200],
    [`GET /docs/icon.svg ${head}\r\n`, 200],
    [`POST /v1/logout ${head}\r\n`, 204],
  ] as const)
    expect(await ask(ours, request), request.split('\r\n')[0]).toContain(`HTTP/1.1 ${status} `);
});
