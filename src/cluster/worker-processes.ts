/** The worker processes that the primary has started and that still run. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Logger } from '../logger.ts';

/** Argument of a worker: Redis loses its data on a restart, and the operator has already been warned. */
export const EPHEMERAL_FLAG = '--ephemeral';
/** The first message of a worker: that it listens, or why it cannot. */
export type WorkerReport = { address: AddressInfo; nodeId: string } | { problem: string };
/** `exited` resolves with the reason: a signal or an exit code. */
export type ListeningWorker = { address: AddressInfo; exited: Promise<string> };

/** A worker that still runs this long after SIGTERM is stuck. Shorter than the primary's own limit. */
const STUCK_AFTER_MS = 9_000;

export class WorkerProcesses {
  readonly #environment: Record<string, string>;
  readonly #log: Logger;
  readonly #exits = new Map<Worker, Promise<string>>();

  constructor(environment: Record<string, string>, log: Logger) {
    this.#environment = environment;
    this.#log = log;
  }

  /** Resolves when the worker listens. */
  async start(): Promise<ListeningWorker> {
    const worker = cluster.fork(this.#environment);
    const exited = exitOf(worker).finally(() => this.#exits.delete(worker));
    this.#exits.set(worker, exited);
    const report = await Promise.race([reportOf(worker), exited]);
    if (typeof report === 'string') throw new Error(`a worker exited before it was ready: ${report}`);
    if ('problem' in report) throw new Error(report.problem);
    this.#log.info(`worker ${report.nodeId} is listening (pid ${worker.process.pid})`);
    return { address: report.address, exited };
  }

  /** Each worker asks its clients to reconnect and exits. After Ctrl-C in a terminal they have had the signal already. */
  async stopAll(): Promise<void> {
    this.#signal('SIGTERM');
    const timer = setTimeout(() => this.#signal('SIGKILL'), STUCK_AFTER_MS);
    await Promise.all(this.#exits.values());
    clearTimeout(timer);
  }

  #signal(signal: NodeJS.Signals): void {
    for (const worker of this.#exits.keys()) worker.process.kill(signal);
  }
}

/** Resolves with the signal or the exit code. */
function exitOf(worker: Worker): Promise<string> {
  worker.on('error', () => {}); // a message could not be delivered: the worker is exiting
  return new Promise((resolve) => {
    worker.once('exit', (code: number | null, signal: string | null) =>
      resolve(signal ?? `exit code ${code}`),
    );
  });
}

async function reportOf(worker: Worker): Promise<WorkerReport> {
  const [report]: WorkerReport[] = await once(worker, 'message');
  return report!;
}
