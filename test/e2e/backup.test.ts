/** The commands of docs/how-to/backup-and-upgrade.md, as written: a restore brings back what was stored, and reports the rest. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findNativeServer } from '../../src/store/private-redis/server.ts';
import { JWT_SECRET, listen, type Person, person, type TestNode, tell, until } from '../kit/app.ts';
import { call } from '../kit/contract.ts';
import { freePort } from '../kit/ports.ts';
import { type Process, startProcess } from '../kit/process.ts';
import { openStream } from '../kit/stream.ts';

const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);
const page = readFileSync(new URL('../../docs/how-to/backup-and-upgrade.md', import.meta.url), 'utf8');
const [archive = '', unpack = '', snapshot = '', replace = '', rewrite = '', ...others] = [
  ...page.matchAll(/^```sh\n(.*?)^```$/gms),
].map((match) => match[1]!);

test('the guide has two blocks for the private Redis and three for your own', () => {
  expect(others).toEqual([]);
  expect([archive, unpack]).toEqual([expect.stringContaining('tar -c'), expect.stringContaining('tar -x')]);
  expect(snapshot).toContain('redis-cli --rdb');
  expect(replace).toContain('dump.rdb');
  expect(rewrite).toContain('appendonly yes');
});

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-backup-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

const run = (block: string, cwd: string): string =>
  execFileSync('/bin/sh', ['-euc', block], { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

async function stop({ child, exited }: Process): Promise<void> {
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
}

const nodeOf = ({ url }: Process): TestNode => ({ url }) as TestNode;

/** alice and bob before the backup, and bob's position after a message that the backup does not contain. */
async function talkBeforeAndAfter(node: TestNode, backUp: () => Promise<TestNode>) {
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  for (const text of ['one', 'two']) await tell(alice, 'bob', text);
  const later = await backUp();
  const at = (who: Person): Person => ({ ...who, node: later });
  const stream = await listen(at(bob));
  await until('both are delivered', () => stream.messages().length === 2);
  await tell(at(alice), 'bob', 'sent after the backup');
  await until('the third is delivered', () => stream.messages().length === 3);
  stream.close();
  return { alice, bob, position: stream.lastEventId! };
}

/** After the restore: old messages are there, tokens work, and a newer position gets a gap before new messages. */
async function expectRestored(
  node: TestNode,
  before: Awaited<ReturnType<typeof talkBeforeAndAfter>>,
): Promise<void> {
  const alice = { ...before.alice, node };
  const { token } = before.bob;
  const textsOf = async () => {
    const { body } = await call(node, 'listDirect', { token, path: { username: 'alice' } });
    return body.messages.map(({ text }: { text: string }) => text);
  };
  expect(await textsOf()).toEqual(['one', 'two']);

  const resumed = await openStream(node.url, token, { lastEventId: before.position });
  onTestFinished(() => resumed.close());
  expect((await resumed.next('ready')).data).toMatchObject({ gap: true, resumed: false });
  expect((await resumed.next('gap')).data).toMatchObject({ log: 'inbox', reason: 'future' });
  await tell(alice, 'bob', 'sent after the restore');
  await until('the new message is delivered', () =>
    resumed.messages().some(({ text }) => text === 'sent after the restore'),
  );
  expect(resumed.messages().map(({ text }) => text)).toEqual(['one', 'two', 'sent after the restore']);

  // The log has grown to the old position again, which is another message now.
  const late = await openStream(node.url, token, { lastEventId: before.position });
  onTestFinished(() => late.close());
  expect((await late.next('ready')).data).toMatchObject({ gap: true });
  expect((await late.next('gap')).data).toMatchObject({ log: 'inbox', reason: 'lost' });
  await until('nothing is missing', () => late.messages().length === 3);
  expect(await textsOf()).toEqual(['one', 'two', 'sent after the restore']);
}

test.skipIf(!native)(
  'with the private Redis: archive, destroy, unpack; a stream from after the backup gets a gap',
  async () => {
    const folder = emptyFolder();
    const first = await startProcess({}, folder);
    let running = first;
    const before = await talkBeforeAndAfter(nodeOf(first), async () => {
      await stop(first);
      run(archive, folder);
      expect(statSync(join(folder, 'parley-backup.tgz')).mode & 0o077, 'closed to other users').toBe(0);
      running = await startProcess({}, folder);
      return nodeOf(running);
    });
    await stop(running);
    run(unpack, folder);
    await expectRestored(nodeOf(await startProcess({}, folder)), before);
  },
  60_000,
);

async function startRedis(port: number, directory: string, appendOnly: 'yes' | 'no') {
  const options = ['--port', port, '--dir', directory, '--appendonly', appendOnly, '--save', ''];
  const redis = spawn('redis-server', options.map(String), { stdio: 'ignore' });
  const stopRedis = async (): Promise<void> => {
    if (redis.exitCode !== null || redis.signalCode !== null) return;
    redis.kill('SIGTERM');
    await once(redis, 'exit');
  };
  onTestFinished(stopRedis);
  await until('Redis replies', () => {
    try {
      return run(`redis-cli -p ${port} ping`, directory).startsWith('PONG');
    } catch {
      return false;
    }
  });
  return stopRedis;
}

test.skipIf(native?.engine !== 'redis-server')(
  'with your own Redis: snapshot while it runs, destroy, restore; a stream from after the backup gets a gap',
  async () => {
    const folder = emptyFolder();
    const [port, data] = [await freePort(), join(folder, 'redis')];
    const settings = { REDIS_URL: `redis://127.0.0.1:${port}`, JWT_SECRET };
    /** The page uses the default port and Debian's directory. */
    const here = (block: string) =>
      block.replaceAll('redis-cli ', `redis-cli -p ${port} `).replaceAll('/var/lib/redis', data);
    mkdirSync(data);
    let stopRedis = await startRedis(port, data, 'yes');
    const first = await startProcess(settings, folder);
    const before = await talkBeforeAndAfter(nodeOf(first), async () => {
      run(here(snapshot), folder);
      return nodeOf(first);
    });
    await stop(first);
    await stopRedis();
    rmSync(data, { recursive: true });
    mkdirSync(data);
    run(here(replace), folder);
    stopRedis = await startRedis(port, data, 'no');
    run(here(rewrite), folder);
    await stopRedis();
    await startRedis(port, data, 'yes');
    await expectRestored(nodeOf(await startProcess(settings, folder)), before);
  },
  60_000,
);
