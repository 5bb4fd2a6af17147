/**
 * The ceiling for sends: node:http with only the token check, JSON.parse, the same Redis scripts through the same store, and
 * the response. No validation, routing or error handling.
 */
import { createSecretKey } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { built } from './servers.ts';

const { createAccessTokens } =
  await built<typeof import('../src/chat/access-tokens.ts')>('chat/access-tokens.js');
const { createMessageIds } = await built<typeof import('../src/chat/message-ids.ts')>('chat/message-ids.js');
const { directChannel } = await built<typeof import('../src/store/channels.ts')>('store/channels.js');
const { openStore } = await built<typeof import('../src/store/redis/client.ts')>('store/redis/client.js');
const { createLogStore } =
  await built<typeof import('../src/store/log/log-store.ts')>('store/log/log-store.js');

const { REDIS_URL: url = '', KEY_PREFIX: prefix = '', JWT_SECRET: secret = '' } = process.env;
const secrets = [createSecretKey(Buffer.from(secret))];
const tokens = createAccessTokens({ secrets, accessTtlSeconds: 3_600, now: Date.now });
const store = await openStore({ url, prefix, newRealm: 'realm', log: console });
const logs = createLogStore(store, {
  retention: {
    broadcasts: 10_000,
    history: 10_000,
    inbox: 10_000,
    inboxBytes: 2 ** 24,
    broadcastBytes: 2 ** 26,
    historyBytes: 2 ** 25,
    accountBytes: 2 ** 26,
  },
  sendLimit: { max: 0, windowMs: 1_000 },
  newEpoch: () => Math.random().toString(36).slice(2, 10).padEnd(8, '0'),
});

const newMessageId = createMessageIds();
const DIRECT = '/v1/dm/';

const server = createServer((req, res) => {
  const chunks: Buffer[] = [];
  req.on('data', (chunk: Buffer) => chunks.push(chunk));
  req.on('end', async () => {
    const { username, sid } = tokens.verify(req.headers.authorization!.slice('Bearer '.length));
    const { text } = JSON.parse(Buffer.concat(chunks).toString());
    const to = req.url!.startsWith(DIRECT) ? req.url!.slice(DIRECT.length) : undefined;
    const id = newMessageId(Date.now());
    const draft = { id, from: username, origin: sid, key: '-', json: JSON.stringify({ text }) };
    const channel = to === undefined ? undefined : directChannel(username, to);
    const appended = await (channel === undefined ? logs.broadcast(draft) : logs.direct(channel, draft));
    const stored = 'message' in appended ? appended.message : '{}';
    const headers = { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(stored) };
    res.writeHead('message' in appended ? 201 : 500, headers).end(stored);
  });
});
server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on ${(server.address() as AddressInfo).port}\n`);
});
process.on('SIGTERM', () => process.exit(0));
