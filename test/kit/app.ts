/** Nodes, users and streams for tests, over real HTTP. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, inject, onTestFinished } from 'vitest';
import { type App, startApp } from '../../src/app.ts';
import { createPasswordThreads } from '../../src/chat/password-threads.ts';
import { type Config, readConfig } from '../../src/config.ts';
import { createLogger, type Logger } from '../../src/logger.ts';
import { parseSecrets } from '../../src/secrets.ts';
import { type CallResult, call } from './contract.ts';
import { within } from './patience.ts';
import { openStream, type StreamClient } from './stream.ts';

export const JWT_SECRET = 'a secret that only the tests know: 32+ bytes';

/** Shared by all nodes of a test file. */
export const passwordThreads = createPasswordThreads();

export type TestNode = App & { url: string; prefix: string };
export type Person = { username: string; token: string; refreshToken: string; node: TestNode };

/** High limits and cheap hashes; tests that are about limits override them. */
const RELAXED = {
  PORT: '0',
  BCRYPT_COST: '4',
  LOGIN_LIMIT: '0',
  LOGIN_SUCCESS_LIMIT: '0',
  REGISTER_LIMIT: '0',
  SEND_LIMIT: '0',
  // raised rather than turned off, so that the code for them runs
  ...{ ACCOUNT_BUDGET: '100000/1', NETWORK_BUDGET: '999999/1', NETWORK_CONNECTIONS: '100000' },
  ...{ ACCOUNT_IN_FLIGHT: '1000', NETWORK_IN_FLIGHT: '4000', CONNECTION_IN_FLIGHT: '100' },
};

type Settings = Record<string, string>;
type NodeOptions = { prefix?: string; redisUrl?: string; log?: Logger };

/** Starts a node that stops when the test ends. Nodes with the same prefix share their data. */
export async function startNode(settings: Settings = {}, options: NodeOptions = {}): Promise<TestNode> {
  const node = await launch(settings, options);
  onTestFinished(() => node.close());
  return node;
}

/** One node for all tests of a file, for tests that do not affect each other. */
export function sharedNode(): () => TestNode {
  let node: TestNode;
  beforeAll(async () => {
    node = await launch({}, {});
  });
  afterAll(() => node.close());
  return () => node;
}

async function launch(settings: Settings, options: NodeOptions): Promise<TestNode> {
  const prefix = options.prefix ?? `test-${randomUUID().slice(0, 8)}:`;
  const config: Config = readConfig({ ...RELAXED, KEY_PREFIX: prefix, ...settings });
  const app = await startApp({
    config,
    redisUrl: options.redisUrl ?? inject('redisUrl'),
    isEphemeral: true,
    secrets: config.JWT_SECRET ?? parseSecrets(JWT_SECRET),
    log: options.log ?? createLogger('silent'),
    passwordThreads,
  });
  let closed: Promise<void> | undefined;
  const close = () => (closed ??= app.close({ unreadyMs: 0 }));
  return { ...app, close, prefix, url: `http://127.0.0.1:${app.address.port}` };
}

/** Registers (if new) and logs in. */
export async function person(node: TestNode, username: string): Promise<Person> {
  const credentials = { username, password: 'correct horse battery' };
  await call(node, 'register', { body: credentials });
  return login(node, username);
}

/** Starts another session of a registered user. */
export async function login(node: TestNode, username: string): Promise<Person> {
  const { body } = await call(node, 'login', { body: { username, password: 'correct horse battery' } });
  return { username: body.account.username, token: body.accessToken, refreshToken: body.refreshToken, node };
}

export const say = (from: Person, text: string): Promise<CallResult> =>
  call(from.node, 'sendBroadcast', { token: from.token, body: { text } });

export const tell = (from: Person, to: string, text: string): Promise<CallResult> =>
  call(from.node, 'sendDirect', { token: from.token, path: { username: to }, body: { text } });

/** Opens a stream and waits for `ready`; it closes when the test ends. */
export async function listen(
  who: Person,
  options: { lastEventId?: string; presence?: 'all' | 'count' | 'off'; node?: TestNode } = {},
): Promise<StreamClient> {
  const stream = await openStream((options.node ?? who.node).url, who.token, options);
  onTestFinished(() => stream.close());
  await stream.next('ready');
  return stream;
}

/** Polls until a condition is true; fails after `withinMs`, on a slow machine later. */
export async function until(
  what: string,
  isTrue: () => boolean | Promise<boolean>,
  withinMs = 20_000,
): Promise<void> {
  const deadline = Date.now() + within(withinMs);
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
