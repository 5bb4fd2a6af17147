/**
 * The entry point of a worker process: one node, started and stopped by the primary. The primary passes the Redis
 * address, the secrets and the port in the environment; all other settings are those of any node.
 */
import { startApp } from '../app.ts';
import { readConfig } from '../config.ts';
import { createLogger } from '../logger.ts';
import { shutDownOnSignal } from '../signals.ts';
import { EPHEMERAL_FLAG, type WorkerReport } from './worker-processes.ts';

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLogger(config.LOG_LEVEL);
  const { address, nodeId, close } = await startApp({
    config,
    redisUrl: config.REDIS_URL!, // the primary sets both
    secrets: config.JWT_SECRET!,
    isEphemeral: process.argv.includes(EPHEMERAL_FLAG),
    isWorker: true,
    log,
  });
  shutDownOnSignal(log, close);
  process.send!({ address, nodeId } satisfies WorkerReport);
}

main().catch((error: unknown) => {
  const problem = error instanceof Error ? error.message : String(error);
  process.send!({ problem } satisfies WorkerReport, () => process.exit(1));
});
