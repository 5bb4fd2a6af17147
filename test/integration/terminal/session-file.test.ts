// The session file, shared by several processes.
import { mkdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { createSessionFile } from '../../../clients/cli/src/session-file.ts';
import { createParley } from '../../../clients/sdk/src/index.ts';
import { sharedNode, startNode } from '../../kit/app.ts';
import { emptyFolder } from '../../kit/pane.ts';
import { client, testClock } from '../../kit/wire.ts';

const node = sharedNode();

test('processes that share a session refresh one at a time, and all stay logged in', async () => {
  const stateDir = emptyFolder();
  await client(node(), 'alice', createSessionFile(stateDir, node().url));
  const clock = testClock();
  clock.aheadMs = 86_400_000; // every token has expired, by this clock
  const programs = Array.from({ length: 6 }, () =>
    createParley({ baseUrl: node().url, clock, ...createSessionFile(stateDir, node().url) }),
  );
  for (let round = 0; round < 2; round += 1) {
    const answers = await Promise.all(programs.map((each) => each.getMe()));
    expect(answers.map(({ data, problem }) => data?.username ?? problem)).toEqual(Array(6).fill('alice'));
    clock.aheadMs += 86_400_000;
  }
});

test('takes over a stale lock', async () => {
  const sessionFile = createSessionFile(emptyFolder(), node().url);
  const lockFile = `${sessionFile.file}.lock`;
  mkdirSync(dirname(lockFile), { recursive: true });
  writeFileSync(lockFile, '');
  const longAgo = new Date(Date.now() - 60_000);
  utimesSync(lockFile, longAgo, longAgo);
  expect(await sessionFile.lock('any', async () => 'taken')).toBe('taken');
});

test('is readable by its owner only, and ignores invalid content', async () => {
  const sessionFile = createSessionFile(emptyFolder(), node().url);
  await client(node(), 'bob', sessionFile);
  expect(statSync(sessionFile.file).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(sessionFile.file)).mode & 0o777).toBe(0o700);
  for (const text of ['', '{', 'null', '{"username": 5}']) {
    writeFileSync(sessionFile.file, text);
    expect(await sessionFile.storage.get()).toBeUndefined();
  }
});

test('stores device tokens beyond a logout, in a file readable by its owner only', async () => {
  const node = await startNode({ LOGIN_LIMIT: '1/300' });
  const stateDir = emptyFolder();
  const sessionFile = createSessionFile(stateDir, node.url);
  const alice = await client(node, 'alice', sessionFile);
  await alice.logout();
  expect(await sessionFile.storage.get()).toBeUndefined();
  const file = sessionFile.file.replace('session-', 'devices-');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const [guesser, later] = [{}, createSessionFile(stateDir, node.url)].map((options) =>
    createParley({ baseUrl: node.url, ...options }),
  );
  const login = { username: 'alice', password: 'correct horse battery' };
  await guesser!.login({ ...login, password: 'not her password' });
  expect((await guesser!.login(login)).problem?.code).toBe('too_many_requests');
  expect((await later!.login(login)).problem).toBeUndefined();
  for (const text of ['', '{', 'null', '[["alice", 5], 7]']) {
    writeFileSync(file, text);
    expect(await sessionFile.devices.get('alice')).toBeUndefined();
  }
});

test('uses one file per server', () => {
  const servers = ['http://127.0.0.1:3000', 'http://127.0.0.1:3001', 'https://chat.example.org/parley'];
  const files = servers.map((server) => createSessionFile('/state', server).file);
  expect(new Set(files).size).toBe(servers.length);
  expect(files[2]).toBe('/state/parley/session-chat.example.org_parley.json');
});
