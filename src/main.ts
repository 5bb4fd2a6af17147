/** The process: configuration, the private Redis if none is given, one node or several workers. */
import { type Config, loadEnvFile, readConfig } from './config.ts';
import { createLogger, type Logger } from './logger.ts';
import { keptSecrets, randomSecrets, type Secrets } from './secrets.ts';
import { shutDownOnSignal } from './shutdown.ts';
import { defaultMaxMemory } from './store/memory-watermark.ts';
import { type PrivateRedis, startPrivateRedis } from './store/private-redis/server.ts';

async function main(): Promise<void> {
  process.umask(0o077); // nothing that is written here is for other users of the machine
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

  // Not before it can be stopped: who reads that it listens may send a signal at once.
  banner(config, address.port, redis);
  if (config.HOSTS.includes('*'))
    log.warn('HOSTS=* answers for any host: a web page of a stranger can reach this server by its own name');
  if (config.BCRYPT_COST < 10)
    log.warn(`BCRYPT_COST ${config.BCRYPT_COST} is for tests: stolen hashes would be easy to try`);
}

async function serve(config: Config, log: Logger, redis: PrivateRedis | undefined) {
  const options = {
    config,
    log,
    redisUrl: config.REDIS_URL ?? redis!.url,
    isEphemeral: redis?.durable === false,
    secrets: config.JWT_SECRET ?? ownSecrets(config, log, redis),
  };
  // Only what is needed is loaded: a primary without a node in it is 24 MB smaller.
  if (config.WORKERS > 1) return (await import('./cluster/primary.ts')).startPrimary(options);
  return (await import('./app.ts')).startApp(options);
}

const ownSecrets = (config: Config, log: Logger, redis: PrivateRedis | undefined): Secrets =>
  redis?.durable ? keptSecrets(config.DATA_DIR, (message) => log.warn(message)) : randomSecrets();

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
