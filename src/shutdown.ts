/** How a process of Parley ends: in order and in time when it is told to, and not for a bug in one request. */
import type { Logger } from './logger.ts';

/** SIGTERM to exit, whatever hangs. */
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
  // A bug in one request must not end the conversations of all others.
  process.on('unhandledRejection', (error) =>
    log.error({ err: error }, 'a bug of ours: unhandled rejection'),
  );
  process.on('uncaughtException', (error) => log.error({ err: error }, 'a bug of ours: uncaught exception'));
}
