/**
 * One worker: a node in a process that `primary.ts` starts and that ends with it. The primary passes the address of Redis,
 * the secret and the port in the environment; everything else is configured as for any node.
 */
import { startApp } from '../app.ts';
import { readConfig } from '../config.ts';
import { createLogger } from '../logger.ts';
import { shutDownOnSignal } from '../shutdown.ts';
import { EPHEMERAL, type Report } from './primary.ts';

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger(config.LOG_LEVEL);
  const { address, nodeId, close } = await startApp({
    config,
    redisUrl: config.REDIS_URL!, // the primary has given both
    secrets: config.JWT_SECRET!,
    isEphemeral: process.argv.includes(EPHEMERAL),
    isWorker: true,
    log,
  });
  shutDownOnSignal(log, close);
  process.send!({ address, nodeId } satisfies Report);
}

main().catch((error: unknown) => {
  const problem = error instanceof Error ? error.message : String(error);
  process.send!({ problem } satisfies Report, () => process.exit(1));
});
