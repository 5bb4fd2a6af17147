/**
 * The primary: runs several nodes on one port (node:cluster), each in its own process. It holds the port and passes each
 * new connection to the next worker, which then serves it alone. A worker that exits is replaced.
 *
 * Parley starts only if every worker listens: the first failure is reported once, and the other workers are stopped.
 * If the primary is killed, its workers exit too: `node:cluster` ends a worker whose primary is gone.
 * Known limit: what a node counts in its own memory (streams per account, waiting password checks) counts per worker.
 */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, AppOptions } from '../app.ts';
import type { Config } from '../config.ts';
import { createHostCheck } from '../hosts.ts';
import { listen } from '../listen.ts';
import type { Logger } from '../logger.ts';
import { createMetricsServer, createSharedMetrics } from '../metrics.ts';
import { EPHEMERAL_FLAG, type ListeningWorker, WorkerProcesses } from './worker-processes.ts';

/** Delay before a worker is replaced: doubles with each exit, and is reset by a worker that ran for `resetAfter`. */
const RESTART_DELAY_MS = { min: 100, max: 5_000, resetAfter: 60_000 };

export async function startPrimary(options: AppOptions): Promise<Pick<App, 'address' | 'close'>> {
  const { config, redisUrl, isEphemeral = false, secrets, log } = options;
  cluster.setupPrimary({
    exec: join(import.meta.dirname, `worker${extname(import.meta.filename)}`),
    args: isEphemeral ? [EPHEMERAL_FLAG] : [],
  });
  const port = config.PORT || (await findFreePort(config.HOST));
  const workers = new WorkerProcesses(
    {
      REDIS_URL: redisUrl,
      REDIS_MAXMEMORY: String(config.REDIS_MAXMEMORY ?? ''),
      JWT_SECRET: secrets.setting(),
      JWT_SECRET_FILE: '', // the primary has read it
      PORT: String(port),
    },
    log,
  );
  const metricsServer = await serveMetrics(config);
  const stopping = new AbortController();
  async function close(): Promise<void> {
    stopping.abort();
    metricsServer?.close();
    await workers.stopAll();
  }

  const starts = Array.from({ length: config.WORKERS }, () => workers.start());
  const listening = await Promise.all(starts).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  for (const worker of listening) void superviseWorker(worker, { workers, signal: stopping.signal, log });
  return { address: listening[0]!.address, close };
}

/** Replaces the worker, and each of its successors, when it exits; until the signal is aborted. */
async function superviseWorker(
  worker: ListeningWorker,
  { workers, signal, log }: { workers: WorkerProcesses; signal: AbortSignal; log: Logger },
): Promise<void> {
  let delayMs = RESTART_DELAY_MS.min / 2;
  for (let running = Promise.resolve(worker); ; running = workers.start()) {
    const startedAt = performance.now();
    const reason = await running.then(
      ({ exited }) => exited,
      (error: Error) => error.message,
    );
    if (signal.aborted) return;
    const wasStable = performance.now() - startedAt > RESTART_DELAY_MS.resetAfter;
    delayMs = wasStable ? RESTART_DELAY_MS.min : Math.min(2 * delayMs, RESTART_DELAY_MS.max);
    log.warn(`a worker exited (${reason}); starting another in ${delayMs} ms`);
    await sleep(delayMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
  }
}

async function serveMetrics(config: Config) {
  if (config.METRICS_PORT === 0) return undefined;
  const server = createMetricsServer(createSharedMetrics(), createHostCheck(config));
  await listen(server, config.METRICS_PORT, config.HOST);
  return server;
}

/** With PORT=0 the primary picks the port, so that all workers, now and later, listen on the same one. */
async function findFreePort(host: string): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, 0, host);
  server.close();
  await once(server, 'close');
  return port;
}
