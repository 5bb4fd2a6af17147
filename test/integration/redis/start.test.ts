/** A start on each kind of server: it works, or ends with one sentence that names the cure. */
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openStore } from '../../../src/store/redis/client.ts';
import { removeFolder, temporaryFolder } from '../../fault/processes.ts';
import { JWT_SECRET } from '../../kit/app.ts';
import { freePort } from '../../kit/ports.ts';
import { startProcess } from '../../kit/process.ts';
import { redisServer as server } from '../../kit/servers.ts';
import { type Settings, startServer, waitUntil } from '../../kit/topology/server.ts';

async function start(url: string) {
  const logged: string[] = [];
  const log = { info: () => {}, warn: (message: string) => void logged.push(message) };
  const store = await openStore({ url, prefix: 'parley:', newRealm: 'realm', log });
  onTestFinished(() => store.close());
  return { store, logged };
}

const refusalOf = (url: string): Promise<string> =>
  start(url).then(
    () => 'it starts',
    (error: Error) => error.message,
  );

test('a database that does not exist is not replaced by database 0', async () => {
  const { port, call } = await server({ databases: 2 });
  expect(await refusalOf(`redis://127.0.0.1:${port}/2`)).toMatch(/127\.0\.0\.1:\d+\/2.*no database/);
  expect(await call('DBSIZE')).toBe(0);
  const { store } = await start(`redis://127.0.0.1:${port}/1`);
  await store.commands.hset(store.keys.heartbeats, 'a', 1);
  expect(await call('DBSIZE')).toBe(0);
});

// ioredis only reports a failed SELECT of a reconnect, and then goes on in database 0.
test('a database that is missing after a reconnect is not replaced by database 0', async () => {
  const redis = await server({ databases: 2 });
  const { store, logged } = await start(`redis://127.0.0.1:${redis.port}/1`);
  await redis.kill();
  const small = await startServer({ databases: 1, port: redis.port });
  onTestFinished(() => small.end());
  await waitUntil(
    'SELECT has failed',
    async () => (logged.some((line) => line.includes('DB index')) ? undefined : logged.join()),
    10_000,
  );
  for (let i = 0; i < 20; i += 1) {
    await store.commands.hset(store.keys.heartbeats, 'a', 1).catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(await redis.call('DBSIZE')).toBe(0);
});

test('a node of a cluster is rejected', async () => {
  const { port } = await server({ 'cluster-enabled': 'yes' });
  expect(await refusalOf(`redis://127.0.0.1:${port}`)).toMatch(/Redis Cluster.*cluster-enabled no/);
});

test('redis+cluster:// is rejected', async () => {
  expect(await refusalOf('redis+cluster://127.0.0.1:1')).toMatch(/Redis Cluster is not supported yet/);
});

test('a Sentinel is rejected with the URL to write', async () => {
  const { port } = await server({}, ['--sentinel']);
  expect(await refusalOf(`redis://127.0.0.1:${port}`)).toContain(`redis+sentinel://127.0.0.1:${port}/`);
  expect(await refusalOf(`redis+sentinel://127.0.0.1:${port}/unknown`)).toMatch(/sentinel monitor/);
});

test('a replica is rejected, also if INFO is not permitted', async () => {
  const { port: primary } = await server();
  const { port } = await server({ replicaof: `127.0.0.1 ${primary}` });
  const hidden = await server({
    replicaof: `127.0.0.1 ${primary}`,
    'rename-command': ['INFO ""', 'HELLO ""'],
  });
  expect(await refusalOf(`redis://127.0.0.1:${port}`)).toMatch(/is a replica/);
  await waitUntil(
    'in sync',
    async () => (/sync: Finished/.test(hidden.output()) ? undefined : 'not yet'),
    10_000,
  );
  expect(await refusalOf(`redis://127.0.0.1:${hidden.port}`)).toMatch(/is a replica/);
});

test('INFO that was renamed only hides the warnings', async () => {
  const { port } = await server({ 'rename-command': 'INFO ""', 'maxmemory-policy': 'allkeys-lru' });
  const { logged } = await start(`redis://127.0.0.1:${port}`);
  expect(logged).toEqual([expect.stringMatching(/does not permit INFO/)]);
});

test('an old protocol without HELLO works', async () => {
  const { port } = await server({ 'rename-command': 'HELLO ""', appendonly: 'yes' });
  const { logged } = await start(`redis://127.0.0.1:${port}`);
  expect(logged).toEqual([]);
});

const user = (...rules: string[]): Settings => ({ user: `app on >hunter2 ${rules.join(' ')}` });
const RULES = ['~parley:*', '&parley:*', '+@all'];

test.each([
  ['without dangerous commands', [...RULES, '-@dangerous'], undefined],
  ['without channels', ['~parley:*', '+@all'], /lacks a permission.*managed-redis.*channel/],
  ['without scripts', [...RULES, '-@scripting'], /lacks a permission.*evalsha/],
  ['without its keys', ['~other:*', '&parley:*', '+@all'], /lacks a permission.*key/],
  ['without writing', [...RULES, '-@write'], /lacks a permission/],
  ['without subscribing', [...RULES, '-ssubscribe'], /lacks a permission.*ssubscribe/],
  ['without selecting', [...RULES, '-select'], /lacks a permission.*select/],
])('a user %s', async (_, rules, refusal) => {
  const { port } = await server(user(...rules));
  const said = await refusalOf(`redis://app:hunter2@127.0.0.1:${port}/1`);
  if (refusal) expect(said).toMatch(refusal);
  else expect(said).toBe('it starts');
  expect(said).not.toContain('hunter2');
});

test('a wrong password, or none, is rejected', async () => {
  const { port } = await server({ requirepass: 'hunter2' });
  expect(await refusalOf(`redis://127.0.0.1:${port}`)).toMatch(/requires a password/);
  const said = await refusalOf(`redis://:hunter3@127.0.0.1:${port}`);
  expect(said).toMatch(/rejects the user or the password/);
  expect(said).not.toContain('hunter');
});

test('a server without TLS, and one that is not there, are rejected', async () => {
  const { port } = await server();
  expect(await refusalOf(`rediss://127.0.0.1:${port}`)).toMatch(/redis:\/\/ instead of rediss:/);
  expect(await refusalOf('redis://localhost:1')).toMatch(/nothing answers there/);
  expect(await refusalOf('redis+sentinel://127.0.0.1:1/parley')).toMatch(/Sentinels run/);
});

test('a start waits while the server loads its data', async () => {
  const slowly = { 'key-load-delay': 20_000, 'loading-process-events-interval-bytes': 1_024 };
  const redis = await server({ ...slowly, rdbcompression: 'no', save: '""' });
  for (let i = 0; i < 100; i += 1) await redis.call('SET', `k${i}`, 'x'.repeat(2_000));
  await redis.call('SAVE');
  await redis.kill();
  const restarted = redis.restart();
  const loading = async () => String(await redis.call('PING').catch((error: Error) => error.message));
  await waitUntil(
    'it loads',
    async () => ((await loading()).startsWith('LOADING') ? undefined : 'not yet'),
    10_000,
  );
  await expect(start(`redis://127.0.0.1:${redis.port}`)).resolves.toBeDefined();
  await restarted;
});

test('a Sentinel and its servers may each require a password', async () => {
  const primary = await server({ requirepass: 'hunter2' });
  const monitor = [`monitor main 127.0.0.1 ${primary.port} 1`, 'auth-pass main hunter2'];
  const sentinel = await server({ requirepass: 'hunter3', sentinel: monitor }, ['--sentinel']);
  const url = (login: string, query: string) => `redis+sentinel://${login}${sentinel.address}/main?${query}`;
  const { store } = await start(url(':hunter2@', 'db=1&sentinel_password=hunter3'));
  expect(await store.commands.hget(store.keys.realm, 'id')).toBe('realm');
  for (const [login, query] of [
    [':hunter2@', 'db=0'],
    [':hunter2@', 'sentinel_password=hunter4'],
    ['', 'sentinel_password=hunter3'],
  ] as const) {
    const said = await refusalOf(url(login, query));
    expect(said).toMatch(/Sentinels run|requires a password|rejects the user/);
    expect(said).not.toContain('hunter');
  }
});

const hasTls = spawnSync('openssl', ['version']).status === 0;
test.skipIf(!hasTls)('TLS works with a certificate that is trusted, and is explained otherwise', async () => {
  const folder = temporaryFolder();
  onTestFinished(() => removeFolder(folder));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, ...subject],
    {
      stdio: 'ignore',
    },
  );
  const port = await freePort();
  await server({
    ...{ 'tls-port': port, 'tls-key-file': key, 'tls-cert-file': cert, 'tls-ca-cert-file': cert },
    'tls-auth-clients': 'no',
  });
  const url = `rediss://127.0.0.1:${port}`;
  expect(await refusalOf(url)).toMatch(/NODE_EXTRA_CA_CERTS/);
  expect(await refusalOf(url.replace('rediss', 'redis'))).toMatch(/rediss:\/\/ if it uses TLS/);
  const trusting = await startProcess({ REDIS_URL: url, JWT_SECRET, NODE_EXTRA_CA_CERTS: cert });
  expect(trusting.output()).toContain('listens on');
});
