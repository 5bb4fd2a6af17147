/**
 * Records what a build of Parley stores, and how it answers about it, for test/integration/store/migration.test.ts:
 * `node scripts/record-data.mjs DIST FILE`. Needs a redis-server on the PATH.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const [dist, file] = process.argv.slice(2);
const PASSWORD = 'correct horse battery';
const PREFIX = 'parley:';

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

const [redisPort, port] = [await freePort(), await freePort()];
const redisServer = spawn('redis-server', ['--port', redisPort, '--bind', '127.0.0.1', '--save', ''], {
  cwd: mkdtempSync(join(tmpdir(), 'record-')),
  stdio: 'ignore',
});
const redis = new Redis(redisPort);
const parley = spawn(process.execPath, [join(dist, 'main.js')], {
  env: {
    ...{
      PATH: process.env.PATH,
      PORT: String(port),
      REDIS_URL: `redis://127.0.0.1:${redisPort}`,
      KEY_PREFIX: PREFIX,
    },
    ...{ JWT_SECRET: 'a secret that only the tests know: 32+ bytes', BCRYPT_COST: '10', INBOX_LIMIT: '20' },
    ...{ SEND_LIMIT: '0', REGISTER_LIMIT: '0', LOGIN_LIMIT: '0' },
  },
  stdio: 'ignore',
});

async function request(method, path, { token, body, key } = {}) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    headers: {
      ...(token && { Authorization: `Bearer ${token}` }),
      ...(body && { 'Content-Type': 'application/json' }),
      ...(key && { 'Idempotency-Key': key }),
    },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

for (;;) {
  const isUp = await fetch(`http://127.0.0.1:${port}/readyz`).then(
    ({ ok }) => ok,
    () => false,
  );
  if (isUp) break;
  await sleep(100);
}

process.on('exit', () => {
  parley.kill('SIGKILL');
  redisServer.kill('SIGKILL');
});
const tokens = {};
const dm = (from, to, text, key) =>
  request('POST', `/v1/dm/${encodeURIComponent(to)}`, { token: tokens[from], body: { text }, key });

/** The id of the last event that a new stream of an account receives. */
async function lastEventId(who) {
  const controller = new AbortController();
  const response = await fetch(`http://127.0.0.1:${port}/v1/events`, {
    headers: { Authorization: `Bearer ${tokens[who]}` },
    signal: controller.signal,
  });
  setTimeout(() => controller.abort(), 1_500);
  let text = '';
  try {
    for await (const chunk of response.body) text += Buffer.from(chunk).toString();
  } catch {}
  return [...text.matchAll(/^id: (.*)$/gm)].at(-1)[1];
}

for (const name of ['alice', 'bob', 'carol', 'dave', 'زهرا', 'full']) {
  await request('POST', '/v1/register', { body: { username: name, password: PASSWORD } });
  tokens[name] = (
    await request('POST', '/v1/login', { body: { username: name, password: PASSWORD } })
  ).accessToken;
}
const broadcast = (from, text, key) =>
  request('POST', '/v1/broadcasts', { token: tokens[from], body: { text }, key });
await broadcast('alice', 'first broadcast', 'broadcast-key');
await broadcast('bob', 'a line\nand "quotes", a \\ and 😀 \u2028');
const ids = [];
for (let n = 1; n <= 5; n += 1) ids.push((await dm('alice', 'bob', `to bob ${n}`, `dm-key-${n}`)).id);
await dm('bob', 'alice', 'an answer');
await dm('alice', 'alice', 'a note to myself');
await dm('carol', 'bob', 'from carol');
await dm('زهرا', 'bob', 'سلام');
for (let n = 1; n <= 26; n += 1) await dm(n % 3 === 0 ? 'bob' : 'carol', 'full', `fill ${n}`);
await request('POST', '/v1/mailbox/ack', { token: tokens.bob, body: { upTo: ids[1] } });
const cursors = { bob: await lastEventId('bob'), alice: await lastEventId('alice') };
await dm('carol', 'bob', 'after the cursor');
await broadcast('carol', 'a broadcast after the cursor');

const answers = {};
for (const who of Object.keys(tokens)) {
  const get = (path) => request('GET', path, { token: tokens[who] });
  const list = await get('/v1/dm');
  answers[who] = {
    mailbox: await get('/v1/mailbox?limit=100'),
    conversations: list,
    broadcasts: await get('/v1/broadcasts'),
    histories: Object.fromEntries(
      await Promise.all(
        list.conversations.map(async ({ with: other }) => [
          other,
          await get(`/v1/dm/${encodeURIComponent(other)}`),
        ]),
      ),
    ),
  };
}
parley.kill('SIGTERM');
await once(parley, 'exit');

const data = {};
for (const key of (await redis.keys(`${PREFIX}*`)).sort()) {
  const type = await redis.type(key);
  const ttl = await redis.pttl(key);
  // A packed field is not text.
  const value =
    type === 'list'
      ? await redis.lrange(key, 0, -1)
      : Object.fromEntries(
          Object.entries(await redis.hgetallBuffer(key)).map(([field, each]) => [
            field,
            each.toString('latin1'),
          ]),
        );
  data[key.slice(PREFIX.length)] = { type, value, ...(ttl > 0 && { ttl }) };
}
writeFileSync(file, `${JSON.stringify({ cursors, ids, answers, data }, null, 1)}\n`);
redis.disconnect();
redisServer.kill('SIGKILL');
process.exit(0);
