/** The process: reads the configuration, starts a private Redis if none is configured, then one node or several workers. */
import { type Config, loadEnvFile, readConfig } from './config.ts';
import { createLogger, type Logger } from './logger.ts';
import { loadOrCreateSecrets } from './secret-file.ts';
import { randomSecrets } from './secrets.ts';
import { shutDownOnSignal } from './shutdown.ts';
import { defaultMaxMemory } from './store/memory-watermark.ts';
import { type PrivateRedis, startPrivateRedis } from './store/private-redis/server.ts';

async function main(): Promise<void> {
  process.umask(0o077); // files written here are for this user only
  loadEnvFile();
  const config = readConfig();
  const log = createLogger(config.LOG_LEVEL);
  const redis = config.REDIS_URL
    ? undefined
    : await startPrivateRedis({
        dataDir: config.DATA_DIR,
        path: config.PATH,
        log: (message) => log.warn(message),
      });
  if (redis) config.REDIS_MAXMEMORY ??= defaultMaxMemory(!redis.durable);
  const { address, close } = await serve(config, log, redis).catch(async (error: unknown) => {
    await redis?.stop();
    throw error;
  });
  shutDownOnSignal(log, async () => {
    await close();
    await redis?.stop();
  });
  // Only now: a script that reads the banner may send a signal at once.
  printBanner(config, address.port, redis);
  warnOfRisks(config, log);
}

async function serve(config: Config, log: Logger, redis: PrivateRedis | undefined) {
  const warn = (message: string) => log.warn(message);
  const options = {
    config,
    log,
    redisUrl: config.REDIS_URL ?? redis!.url,
    isEphemeral: redis?.durable === false,
    secrets:
      config.JWT_SECRET ?? (redis?.durable ? loadOrCreateSecrets(config.DATA_DIR, warn) : randomSecrets()),
  };
  // Imported on demand: a primary, which runs no node itself, is 24 MB smaller.
  if (config.WORKERS > 1) return (await import('./cluster/primary.ts')).startPrimary(options);
  return (await import('./app.ts')).startApp(options);
}

function printBanner(config: Config, port: number, redis: PrivateRedis | undefined): void {
  const base = `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}`;
  const lines = [
    `Parley listens on ${base}`,
    `API reference: ${base}/docs`,
    `Redis: ${describeRedis(config, redis)}`,
  ];
  process.stdout.write(`\n${lines.map((line) => `  ${line}\n`).join('')}\n`);
}

function describeRedis(config: Config, redis: PrivateRedis | undefined): string {
  if (!redis) return 'the server at REDIS_URL';
  if (redis.durable) return `a private ${redis.engine}; data is kept in ${config.DATA_DIR}/`;
  return 'Valkey in WebAssembly, in memory: ALL DATA IS LOST when Parley stops. Install redis-server to keep it.';
}

function warnOfRisks(config: Config, log: Logger): void {
  if (config.HOSTS.includes('*'))
    log.warn('HOSTS=* serves every host name: any web page can reach this server through a name of its own');
  if (config.BCRYPT_COST < 10)
    log.warn(
      `BCRYPT_COST=${config.BCRYPT_COST} is for tests only: stolen password hashes would be easy to crack`,
    );
}

main().catch((error: unknown) => {
  process.stderr.write(`parley: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
