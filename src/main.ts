/** The process: configuration, the private Redis if none is given, one node or several workers. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Config, readConfig } from './config.ts';
import { endInOrder } from './ending.ts';
import { createLogger } from './logger.ts';
import { type PrivateRedis, startPrivateRedis } from './store/embedded.ts';

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
  const given = {
    redisUrl: config.REDIS_URL ?? redis!.url,
    isEphemeral: redis?.durable === false,
    jwtSecret: config.JWT_SECRET ?? (redis?.durable ? keptSecret(config.DATA_DIR) : randomSecret()),
  };
  // Only what is needed is loaded: a primary without a node in it is 24 MB smaller.
  const start =
    config.WORKERS > 1 ? (await import('./workers.ts')).startWorkers : (await import('./app.ts')).startApp;
  const { address, close } = await start({ config, ...given, log }).catch(async (error: unknown) => {
    await redis?.stop();
    throw error;
  });
  endInOrder(log, async () => {
    await close();
    await redis?.stop();
  });

  // Not before it can be stopped: who reads that it listens may send a signal at once.
  banner(config, address.port, redis);
  if (config.HOSTS.includes('*'))
    log.warn('HOSTS=* answers for any host: a web page of a stranger can reach this server by its own name');
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
