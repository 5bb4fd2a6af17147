/** The process: configuration, the private Redis if none is given, one node, and how both end. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApp } from './app.ts';
import { type Config, readConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { type PrivateRedis, startPrivateRedis } from './store/embedded.ts';

/** SIGTERM to exit, whatever hangs. */
const STOP_WITHIN_MS = 9_500;

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger(config.LOG_LEVEL);
  const redis = config.REDIS_URL
    ? undefined
    : await startPrivateRedis({
        dataDir: config.DATA_DIR,
        path: config.PATH,
        log: (message) => log.warn(message),
      });
  const app = await startApp({
    config,
    redisUrl: config.REDIS_URL ?? redis!.url,
    isEphemeral: redis?.durable === false,
    jwtSecret: config.JWT_SECRET ?? (redis?.durable ? keptSecret(config.DATA_DIR) : randomSecret()),
    log,
  }).catch(async (error: unknown) => {
    await redis?.stop();
    throw error;
  });

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info(`${signal}: stopping`);
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await app.close();
    await redis?.stop();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
  // A bug in one request must not end the conversations of all others.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, 'a bug of ours: unhandled rejection'),
  );
  process.on('uncaughtException', (error) => log.error({ err: error }, 'a bug of ours: uncaught exception'));

  // Not before it can be stopped: who reads that it listens may send a signal at once.
  banner(config, app.address.port, redis);
  if (config.BCRYPT_COST < 10)
    log.warn(`BCRYPT_COST ${config.BCRYPT_COST} is for tests: stolen hashes would be easy to try`);
}

const randomSecret = (): string => randomBytes(32).toString('hex');

/** Kept beside the data, so that logins survive a restart as the accounts do. */
function keptSecret(dataDir: string): string {
  const file = join(dataDir, 'jwt-secret');
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, randomSecret(), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8');
}

function banner(config: Config, port: number, redis: PrivateRedis | undefined): void {
  const base = `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}`;
  const store = !redis
    ? 'Redis: yours (REDIS_URL)'
    : redis.durable
      ? `Redis: a private ${redis.engine}; data is kept in ${config.DATA_DIR}/`
      : 'Redis: Valkey in WebAssembly, in memory: a stop LOSES everything. Install redis-server to keep it.';
  process.stdout.write(`\n  Parley listens on ${base}\n  Reference: ${base}/docs\n  ${store}\n\n`);
}

main().catch((error: unknown) => {
  process.stderr.write(`parley: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
