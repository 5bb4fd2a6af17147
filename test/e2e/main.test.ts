/** The process: how it starts, fails to start, and stops. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findNativeServer } from '../../src/store/private-redis/server.ts';
import { JWT_SECRET, listen, person, say, type TestNode, until } from '../kit/app.ts';
import { call } from '../kit/contract.ts';
import { within } from '../kit/patience.ts';
import { startProcess } from '../kit/process.ts';

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-main-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const hasNativeRedis = (await findNativeServer(process.env['PATH'] ?? '', () => {})) !== undefined;

/** No redis-server can be found on this PATH. */
const WITHOUT_REDIS = { PATH: '/nonexistent' };

test('without a Redis it starts one in memory, warns that a stop loses all data, and exits cleanly', async () => {
  const parley = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: join(emptyFolder(), 'data') });
  expect(parley.output()).toContain('WebAssembly');
  expect(parley.output()).toContain('ALL DATA IS LOST');
  const node = { url: parley.url } as TestNode;
  const bob = await person(node, 'bob');
  expect((await call(node, 'getMe', { token: bob.token })).body.username).toBe('bob');
  parley.child.kill('SIGINT');
  expect(await parley.exited).toBe(0);
});

// Files that Node writes by itself (reports, heap snapshots) may contain secrets.
test('files written by the process are readable by its user only, with any umask', async () => {
  const folder = emptyFolder();
  const settings = {
    ...WITHOUT_REDIS,
    ...{ DATA_DIR: join(folder, 'data'), NODE_OPTIONS: `--report-on-signal --report-directory=${folder}` },
  };
  const parley = await startProcess(settings, undefined, undefined, 'umask 000');
  const reports = () => readdirSync(folder).filter((name) => name.endsWith('.json'));
  parley.child.kill('SIGUSR2');
  await until('a report is written', () => reports().length > 0);
  expect(statSync(join(folder, reports()[0]!)).mode & 0o077).toBe(0);
});

test('on SIGTERM readyz fails, clients are asked to reconnect at different times, and the process exits in time', async () => {
  const parley = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: join(emptyFolder(), 'data') });
  const node = { url: parley.url } as TestNode;
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const streams = [await listen(alice), await listen(bob), await listen(bob)];
  const agent = new http.Agent({ keepAlive: true });
  const readyz = () =>
    new Promise<number>((resolve, reject) => {
      http
        .get(`${parley.url}/readyz`, { agent }, (res) => {
          res.resume().on('end', () => resolve(res.statusCode ?? 0));
        })
        .on('error', reject);
    });
  expect(await readyz()).toBe(200);
  const startedAt = Date.now();
  parley.child.kill('SIGTERM');
  for (const stream of streams) {
    expect((await stream.next('goodbye')).data).toEqual({
      kind: 'goodbye',
      code: 'shutdown',
      reconnect: true,
    });
  }
  expect(await readyz()).toBe(503);
  expect(new Set(streams.map(({ retryMs }) => retryMs)).size).toBeGreaterThan(1);
  expect(await parley.exited).toBe(0);
  expect(Date.now() - startedAt).toBeLessThan(within(10_000));
  agent.destroy();
});

test('a client that sends requests during shutdown gets every response, and the last one closes the connection', async () => {
  const parley = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: join(emptyFolder(), 'data') });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const livez = () =>
    new Promise<http.IncomingMessage>((resolve, reject) => {
      http
        .get(`${parley.url}/livez`, { agent }, (res) => void res.resume().on('end', () => resolve(res)))
        .on('error', reject);
    });
  expect((await livez()).headers).toMatchObject({ connection: 'keep-alive', 'keep-alive': 'timeout=75' });
  parley.child.kill('SIGTERM');
  await until(
    'the connection is announced as closing',
    async () => (await livez()).headers.connection === 'close',
  );
  agent.destroy();
  expect(await parley.exited).toBe(0);
});

test('a request in flight gets its response before the process exits, and its connection does not delay the exit', async () => {
  const parley = await startProcess({
    ...WITHOUT_REDIS,
    DATA_DIR: join(emptyFolder(), 'data'),
    BCRYPT_COST: '12',
  });
  // fetch keeps the connection open for its next request
  const registering = fetch(`${parley.url}/v1/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'bob', password: 'correct horse' }),
  });
  await until('the request is being processed', async () => (await fetch(`${parley.url}/livez`)).ok);
  parley.child.kill('SIGTERM');
  const response = await registering;
  expect([response.status, response.headers.get('connection')]).toEqual([201, 'close']);
  const respondedAt = Date.now();
  expect(await parley.exited).toBe(0);
  expect(Date.now() - respondedAt).toBeLessThan(within(2_000));
});

test('reports all invalid settings together, without secrets, and starts nothing', async () => {
  const parley = await startProcess({
    REDIS_URL: 'http://wrong',
    JWT_SECRET: 'too short',
    PORT: 'x',
    SEND_LIMIT: '5',
  });
  expect(await parley.exited).toBe(1);
  for (const name of ['REDIS_URL', 'JWT_SECRET', 'PORT', 'SEND_LIMIT'])
    expect(parley.output()).toContain(name);
  for (const secret of ['too short', 'http://wrong']) expect(parley.output()).not.toContain(secret);
});

test.each(['a'.repeat(32), 'changeme-changeme-changeme-please', `${'x'.repeat(12)},${'y'.repeat(12)}`])(
  'exits with one line, which does not contain the secret, if JWT_SECRET is guessable',
  async (secret) => {
    const parley = await startProcess({ ...WITHOUT_REDIS, JWT_SECRET: secret });
    expect(await parley.exited).toBe(1);
    expect(parley.output()).toMatch(
      /^parley: The configuration is invalid:\n {2}JWT_SECRET must be [^\n]+\n$/,
    );
    expect(parley.output()).not.toContain(secret);
  },
);

test.skipIf(!hasNativeRedis)(
  'exits with one line if the secret file is empty, and leaves the file alone',
  async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'jwt-secret'), '', { mode: 0o600 });
    const parley = await startProcess({ DATA_DIR: folder });
    expect(await parley.exited).toBe(1);
    expect(parley.output()).toMatch(/^parley: the secret in \S+jwt-secret is damaged: [^\n]+\n$/);
    expect(readFileSync(join(folder, 'jwt-secret'), 'utf8')).toBe('');
  },
);

test('reports an unreachable Redis without a stack trace', async () => {
  const parley = await startProcess({ REDIS_URL: 'redis://127.0.0.1:1', JWT_SECRET });
  expect(await parley.exited).toBe(1);
  expect(parley.output()).toMatch(/ECONNREFUSED/);
  expect(parley.output()).not.toMatch(/^\s+at /m);
});

test('exits and reports EADDRINUSE when another process listens on the port', async () => {
  const first = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: join(emptyFolder(), 'data') });
  const port = new URL(first.url).port;
  const second = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: join(emptyFolder(), 'data'), PORT: port });
  expect(await second.exited).toBe(1);
  expect(second.output()).toContain('EADDRINUSE');
  expect((await say(await person({ url: first.url } as TestNode, 'bob'), 'still here')).status).toBe(201);
});
