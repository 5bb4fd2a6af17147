/** Parley and its child processes: signals to all of them at once, and Parley as PID 1. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findNativeServer } from '../../src/store/private-redis/server.ts';
import { login, type Person, person, type TestNode, tell, until } from '../kit/app.ts';
import { built } from '../kit/built.ts';
import { call } from '../kit/contract.ts';
import { freePort } from '../kit/ports.ts';
import { descendants, isAlive, startProcess } from '../kit/process.ts';

const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);
const hasNamespaces = spawnSync('unshare', ['--pid', '--fork', '--mount-proc', 'true']).status === 0;
const UNLIMITED = {
  SEND_LIMIT: '0',
  REGISTER_LIMIT: '0',
  LOGIN_LIMIT: '0',
  ACCOUNT_BUDGET: '0',
  NETWORK_BUDGET: '0',
};

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-processes-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'data');
}

/** All of alice's messages from bob, from all pages. */
async function textsOf(bob: Person): Promise<string[]> {
  const texts: string[] = [];
  for (let before: number | undefined; ; ) {
    const query = { limit: 1_000, ...(before !== undefined && { before }) };
    const { body } = await call(bob.node, 'listDirect', {
      token: bob.token,
      path: { username: 'alice' },
      query,
    });
    texts.push(...body.messages.map(({ text }: { text: string }) => text));
    if (!body.hasMore) return texts;
    before = body.messages[0].seq;
  }
}

test.skipIf(!native).each(['1', '2'])(
  'SIGTERM to all processes at once, as a service manager sends it, neither loses nor rejects a send (WORKERS=%s)',
  async (WORKERS) => {
    const settings = { ...UNLIMITED, WORKERS, DATA_DIR: emptyFolder() };
    const parley = await startProcess(settings);
    const node = { url: parley.url } as TestNode;
    const [alice] = [await person(node, 'alice'), await person(node, 'bob')];
    const pids = [parley.child.pid!, ...descendants(parley.child.pid!)];
    expect(pids.length).toBeGreaterThan(2);
    const stored: string[] = [];
    const rejected: unknown[] = [];
    let isStopped = false;
    const sending = Array.from({ length: 8 }, async (_, sender) => {
      for (let n = 0; !isStopped; n += 1) {
        const text = `${sender}:${n}`;
        const response = await tell(alice, 'bob', text).catch(() => undefined); // undefined: the port is closed
        if (!response) return;
        if (response.status === 201) stored.push(text);
        else rejected.push(response.body);
      }
    });
    await until('some are sent', () => stored.length > 50, 15_000);
    for (const pid of pids) process.kill(pid, 'SIGTERM');
    expect(await parley.exited).toBe(0);
    isStopped = true;
    await Promise.all(sending);
    expect(rejected).toEqual([]);
    expect(parley.output()).not.toMatch(/restart|starting another/); // neither the private Redis nor a worker
    expect(pids.filter(isAlive)).toEqual([]);
    const restarted = await startProcess(settings);
    const found = new Set(await textsOf(await login({ url: restarted.url } as TestNode, 'bob')));
    expect(stored.filter((text) => !found.has(text))).toEqual([]);
  },
);

test.skipIf(!native || !hasNamespaces)(
  'as PID 1 it leaves no zombies when its Redis is killed repeatedly',
  async () => {
    const port = await freePort();
    const inside = ['--pid', '--fork', '--mount-proc', process.execPath, built('main.js')];
    const shell = spawn('unshare', inside, {
      cwd: '/',
      env: { PATH, PORT: String(port), DATA_DIR: emptyFolder(), BCRYPT_COST: '4', LOG_LEVEL: 'error' },
      stdio: 'ignore',
    });
    const parleyPid = () => Number(execFileSync('ps', ['-o', 'pid=', '--ppid', String(shell.pid)]));
    onTestFinished(() => {
      if (shell.exitCode === null && shell.signalCode === null) process.kill(parleyPid(), 'SIGKILL');
    });
    const isReady = async () =>
      (await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => ({ status: 0 }))).status === 200;
    await until('it is ready', isReady, 20_000);
    const parley = parleyPid();
    const children = () =>
      spawnSync('ps', ['-o', 'pid=,stat=,comm=', '--ppid', String(parley)], { encoding: 'utf8' })
        .stdout.trim()
        .split('\n')
        .map((row) => row.trim().split(/\s+/));
    for (let kills = 0; kills < 3; kills += 1) {
      const [pid] = children().find(([, , name]) => /redis-server|valkey-server/.test(name!))!;
      process.kill(Number(pid), 'SIGKILL');
      await until('a new Redis is ready', async () => {
        const current = children().find(([, , name]) => /redis-server|valkey-server/.test(name!));
        return current !== undefined && current[0] !== pid && (await isReady());
      });
    }
    expect(children().filter(([, state]) => state!.startsWith('Z'))).toEqual([]);
    expect(children()).toHaveLength(2); // the server and its guard
    process.kill(parley, 'SIGTERM');
    await once(shell, 'exit');
  },
);
