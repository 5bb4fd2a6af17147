/** `npm start` where only the production dependencies are installed: what is built is run, or one sentence says what to do. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';

const ROOT = new URL('..', import.meta.url).pathname;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const each of ['scripts', 'openapi.yaml', 'package.json', 'tsconfig.json', 'tsconfig.build.json'])
    cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  mkdirSync(join(folder, 'src'));
  mkdirSync(join(folder, 'node_modules')); // nothing that builds is in it
});

function builtAt(time: Date): void {
  mkdirSync(join(folder, 'dist'));
  writeFileSync(join(folder, 'dist/main.js'), 'console.log("it runs");');
  writeFileSync(join(folder, 'dist/built'), '');
  utimesSync(join(folder, 'dist/built'), time, time);
}

function start() {
  const env = {
    PATH: process.env['PATH'],
    HOME: folder,
    NODE_ENV: 'production',
    npm_config_update_notifier: 'false',
  };
  const { status, stdout, stderr } = spawnSync('npm', ['start', '--silent'], {
    cwd: folder,
    env,
    encoding: 'utf8',
  });
  return { status, stdout: stdout.trim(), stderr: stderr.trim() };
}

test('without a dist/ one sentence says what to run, and nothing else is printed', () => {
  expect(start()).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^There is no dist\/.* Run: npm ci --include=dev && npm run build$/),
  });
});

test('a dist/ that is newer than the sources is run', () => {
  builtAt(new Date(Date.now() + 60_000));
  expect(start()).toEqual({ status: 0, stdout: 'it runs', stderr: '' });
});

test('a dist/ that may be older is run too, and that is said', () => {
  builtAt(new Date(0));
  expect(start()).toEqual({
    status: 0,
    stdout: 'it runs',
    stderr: expect.stringMatching(/^dist\/ may be older than src\/.*npm ci --include=dev && npm run build$/),
  });
});
