/** The process: reads the configuration, starts a private Redis if none is configured, then one node or several workers. */
import { type Config, loadEnvFile, readConfig } from './config.ts';
import { createLogger, type Logger } from './logger.ts';
import { loadOrCreateSecrets } from './secret-file.ts';
import { randomSecrets } from './secrets.ts';
import { shutDownOnSignal } from './signals.ts';
import { showStart } from './startup-message.ts';
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
  // Only now: a program that reads this may send a signal immediately.
  showStart({ host: config.HOST, port: address.port, redis, dataDir: config.DATA_DIR });
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

function warnOfRisks(config: Config, log: Logger): void {
  if (config.HOSTS.includes('*'))
    log.warn(
      'HOSTS=* serves every host name: a web page can reach this server through a domain that resolves to its address',
    );
  if (config.BCRYPT_COST < 10)
    log.warn(
      `BCRYPT_COST=${config.BCRYPT_COST} is for tests only: stolen password hashes would be easy to crack`,
    );
}

main().catch((error: unknown) => {
  process.stderr.write(`parley: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
