/** Shuts the process down in order on SIGINT or SIGTERM, and keeps it running after an unexpected error in one request. */
import type { Logger } from './logger.ts';

/** Maximum time from the signal to the exit, even if a step hangs. */
const STOP_WITHIN_MS = 9_500;

export function shutDownOnSignal(log: Logger, close: () => Promise<void>): void {
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info(`${signal}: stopping`);
    setTimeout(() => process.exit(1), STOP_WITHIN_MS).unref();
    await close();
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop(signal));
  // An error in one request must not disconnect every other client.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, 'unexpected error: unhandled rejection'),
  );
  process.on('uncaughtException', (error) =>
    log.error({ err: error }, 'unexpected error: uncaught exception'),
  );
}
