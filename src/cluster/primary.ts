/**
 * The primary: several nodes on one port (node:cluster), each a process of its own. It holds the port and hands every
 * connection to the next worker; what is said on it is the worker's alone. It starts a worker again that ended.
 *
 * Starts only if all workers listen: the first failure is reported once, and ends the others.
 * A primary that dies takes its workers along: node ends a worker that has lost its primary.
 * Known limit: what a node keeps for itself (streams of an account, the queue before bcrypt) counts per worker.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { extname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { App, AppOptions } from '../app.ts';
import { createHostCheck } from '../hosts.ts';
import { listen } from '../listen.ts';
import { createMetricsServer, createSharedMetrics } from '../metrics.ts';

/** An argument for the worker: what Redis forgets is known, and no reason for a warning. */
export const EPHEMERAL = '--ephemeral';
/** The first message of a worker: that it listens, or why it cannot. */
export type Report = { address: AddressInfo; nodeId: string } | { problem: string };

type Running = { address: AddressInfo; ended: Promise<string> };

/** Between an end and the next start. */
const PAUSE_MS = { shortest: 100, longest: 5_000, forgottenAfter: 60_000 };
/** A worker that still runs this long after SIGTERM is stuck. Shorter than the primary's own limit. */
const STUCK_AFTER_MS = 9_000;

export async function startPrimary(options: AppOptions): Promise<Pick<App, 'address' | 'close'>> {
  const { config, redisUrl, isEphemeral = false, secrets, log } = options;
  cluster.setupPrimary({
    exec: join(import.meta.dirname, `worker${extname(import.meta.filename)}`),
    args: isEphemeral ? [EPHEMERAL] : [],
  });
  const stopping = new AbortController();
  const all = new Map<Worker, Promise<string>>();
  const port = config.PORT || (await freePort(config.HOST));

  /** Resolves when the worker listens. */
  async function start(): Promise<Running> {
    const worker = cluster.fork({
      REDIS_URL: redisUrl,
      REDIS_MAXMEMORY: String(config.REDIS_MAXMEMORY ?? ''),
      JWT_SECRET: secrets.setting(),
      JWT_SECRET_FILE: '', // the primary has read it
      PORT: String(port),
    });
    const ended = endOf(worker).finally(() => all.delete(worker));
    all.set(worker, ended);
    const said = await Promise.race([reportOf(worker), ended]);
    if (typeof said === 'string') throw new Error(`a worker ended before it listened: ${said}`);
    if ('problem' in said) throw new Error(said.problem);
    log.info(`worker ${said.nodeId} listens, pid ${worker.process.pid}`);
    return { address: said.address, ended };
  }

  /** As long as Parley runs there is a worker in this place. */
  async function keep(first: Running): Promise<void> {
    let pauseMs = PAUSE_MS.shortest / 2;
    for (let running = Promise.resolve(first); ; running = start()) {
      const since = performance.now();
      const why = await running.then(
        ({ ended }) => ended,
        (error: Error) => error.message,
      );
      if (stopping.signal.aborted) return;
      const wasSteady = performance.now() - since > PAUSE_MS.forgottenAfter;
      pauseMs = wasSteady ? PAUSE_MS.shortest : Math.min(2 * pauseMs, PAUSE_MS.longest);
      log.warn(`a worker ended and is started again in ${pauseMs} ms: ${why}`);
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => {});
      if (stopping.signal.aborted) return;
    }
  }

  const metricsServer =
    config.METRICS_PORT > 0 ? createMetricsServer(createSharedMetrics(), createHostCheck(config)) : undefined;
  async function close(): Promise<void> {
    stopping.abort();
    metricsServer?.close();
    await endAll(all);
  }

  if (metricsServer) await listen(metricsServer, config.METRICS_PORT, config.HOST);
  const workers = await Promise.all(Array.from({ length: config.WORKERS }, start)).catch(async (error) => {
    await close();
    throw error;
  });
  const address = workers[0]!.address;
  for (const worker of workers) void keep(worker);
  return { address, close };
}

/** For all workers, also those that are started later. */
async function freePort(host: string): Promise<number> {
  const server = createServer();
  const { port } = await listen(server, 0, host);
  server.close();
  await once(server, 'close');
  return port;
}

/** A worker reports its own problem with `Report`; any other failure ends it. */
function endOf(worker: Worker): Promise<string> {
  worker.on('error', () => {}); // it could not be reached: it is gone
  return new Promise((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) =>
      resolve(signal ?? `exit code ${code}`),
    );
  });
}

async function reportOf(worker: Worker): Promise<Report> {
  const [said]: Report[] = await once(worker, 'message');
  return said!;
}

/** Signals all workers, and each says goodbye to its streams; in a terminal Ctrl-C has reached them already. */
async function endAll(all: Map<Worker, Promise<string>>): Promise<void> {
  const kill = (signal: NodeJS.Signals) => {
    for (const worker of all.keys()) worker.process.kill(signal);
  };
  kill('SIGTERM');
  const late = setTimeout(kill, STUCK_AFTER_MS, 'SIGKILL');
  await Promise.all(all.values());
  clearTimeout(late);
}
