/** `npm start` with production dependencies only: it runs dist/, or prints the command that builds it. */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'parley-start-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  for (const each of [
    'clients',
    'scripts',
    'openapi.yaml',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
  ])
    cpSync(join(ROOT, each), join(folder, each), { recursive: true });
  mkdirSync(join(folder, 'src'));
  mkdirSync(join(folder, 'node_modules')); // without build tools
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

test('without dist/ it prints the command to run, and nothing else', () => {
  expect(start()).toEqual({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^dist\/ does not exist.* Run: npm ci --include=dev && npm run build$/),
  });
});

test('runs a dist/ that is newer than the sources', () => {
  builtAt(new Date(Date.now() + 60_000));
  expect(start()).toEqual({ status: 0, stdout: 'it runs', stderr: '' });
});

test('runs a dist/ that may be out of date, and warns', () => {
  builtAt(new Date(0));
  expect(start()).toEqual({
    status: 0,
    stdout: 'it runs',
    stderr: expect.stringMatching(/^dist\/ may be out of date: .* npm ci --include=dev && npm run build$/),
  });
});

// Programs that run from dist/, such as workers that start later, would find it replaced.
test('builds again only after a source has changed', () => {
  rmSync(join(folder, 'node_modules'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  const isGenerated = (path: string) => /swagger-ui|docs\/(LICENSE|NOTICE)$/.test(path);
  cpSync(join(ROOT, 'src'), join(folder, 'src'), { recursive: true, filter: (path) => !isGenerated(path) });
  const build = () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    return statSync(join(folder, 'dist')).ino;
  };
  const first = build();
  expect(build()).toBe(first);
  utimesSync(join(folder, 'src/main.ts'), new Date(), new Date());
  expect(build()).not.toBe(first);
});
