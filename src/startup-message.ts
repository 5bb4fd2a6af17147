/** Where the server listens: a banner on a terminal, one line of the log anywhere else. Shown at every log level. */
import { createLogger } from './logger.ts';
import type { PrivateRedis } from './store/private-redis/server.ts';

type Output = { isTTY?: boolean; write(text: string): unknown };

export function showStart(
  {
    host,
    port,
    redis,
    dataDir,
  }: { host: string; port: number; redis: PrivateRedis | undefined; dataDir: string },
  output: Output = process.stdout,
): void {
  const url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  const store = storeOf(redis, dataDir);
  if (output.isTTY) {
    output.write(`\n  Parley listens on ${url}\n  API reference: ${url}/docs\n  Redis: ${store}\n\n`);
    return;
  }
  const level = redis?.durable === false ? 'warn' : 'info';
  createLogger('info', output)[level]({ url, redis: store }, `Parley listens on ${url}`);
}

function storeOf(redis: PrivateRedis | undefined, dataDir: string): string {
  if (!redis) return 'the server at REDIS_URL';
  return redis.durable
    ? `a private ${redis.engine}; data is kept in ${dataDir}/`
    : 'Valkey in WebAssembly, in memory: ALL DATA IS LOST when Parley stops. Install redis-server to keep it.';
}
