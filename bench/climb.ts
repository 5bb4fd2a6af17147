/**
 * Finds the highest acceptable rate: offers messages at a rising rate, independent of the server's responses, until
 * deliveries are too late. Latency is measured from before the POST is written until the reader has the bytes, on this
 * machine's clock. A step that other processes may have disturbed is repeated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { LoadJobs, Target } from './load.ts';
import type { Subject } from './peers.ts';
import type { ReaderJobs } from './readers.ts';
import type { Row } from './report.ts';
import type { RedisServer } from './servers.ts';
import { createQuiet, OTHERS_LIMIT, rssBytes, startWorker, type Worker, watchCpu } from './stage.ts';
import { percentile, summary } from './stats.ts';

const CONNECTIONS = 16;
const SECONDS = 3;
/** Maximum wait for pending deliveries after an offer. */
const LAST_DELIVERIES_MS = 10_000;
/** One failed step may be an accident; two in a row end the run. */
const FAILURES = 2;
/** Later runs start this many steps below the result of the first run. */
const STEPS_BELOW = 2;
/** Attempts per step if other processes used the machine. */
const ATTEMPTS = 3;
/** Limits per figure for repeated steps and for waiting until the machine is idle. */
const REPEATS = 15;
const MAX_IDLE_WAIT_MS = 60_000;

export type Climb = {
  targets: Pick<Target, 'path' | 'token'>[];
  /** Number of streams that receive each message. */
  streams: number;
  firstRate: number;
  rateStep: number;
  highestRate: number;
  p99Ms: number;
};
export type Step = {
  offered: number;
  perSecond: number;
  p50: number;
  p99: number;
  cpu: Record<string, number>;
  rssBytes: number;
  /** Everything was accepted and delivered. */
  isComplete: boolean;
  /** It was complete and in time. */
  isGood: boolean;
};
/** A subject with open streams. */
export type Setup = {
  subject: Subject;
  redis: RedisServer;
  load: Worker<LoadJobs>;
  readers: Worker<ReaderJobs>[];
};

/** Opens a stream for each token, distributed over `processes` readers. */
export async function openReaders(
  subject: Subject,
  tokens: string[],
  options: { processes: number; sampleEvery: number },
): Promise<Worker<ReaderJobs>[]> {
  const { processes, sampleEvery } = options;
  const readers = Array.from({ length: processes }, () => startWorker<ReaderJobs>('readers.ts'));
  const each = Math.ceil(tokens.length / processes);
  for (const [i, reader] of readers.entries()) {
    const part = tokens.slice(i * each, (i + 1) * each);
    await reader.ask('open', { port: subject.port, ...subject.entry, tokens: part, sampleEvery });
  }
  return readers;
}

/** Creates the climber of one figure. Waits and repeats are limited over all of its climbs, so that the figure ends. */
export function createClimber(log: (line: string) => void) {
  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  let repeatsLeft = REPEATS;

  /** If no attempt passes, returns the one during which other processes used the machine least. */
  async function offerWithRetries(setup: Setup, climb: Climb, rate: number): Promise<Step> {
    let calmest: Step | undefined;
    for (let attempt = 1; ; attempt += 1) {
      await quiet();
      const step = await offer(setup, climb, rate);
      const { perSecond, p50, p99, cpu } = step;
      const shares = Object.entries(cpu).map(([name, share]) => `${name} ${share.toFixed(2)}`);
      const latency = `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms`;
      const where = `${setup.subject.name}, ${Math.round(rate)}/s`;
      const lost = step.isComplete ? '' : ', NOT ALL ACCEPTED OR DELIVERED';
      log(`${where}: ${Math.round(perSecond)} deliveries/s, ${latency}, ${shares.join(' ')}${lost}`);
      if (step.isGood || cpu['others']! < OTHERS_LIMIT) return step;
      if (!calmest || cpu['others']! < calmest.cpu['others']!) calmest = step;
      if (attempt === ATTEMPTS || repeatsLeft === 0) return calmest;
      repeatsLeft -= 1;
    }
  }

  /**
   * Returns the last rate that passes, or undefined if none does. `before` is the result of an earlier run: the climb starts
   * just below it, and continues downwards if that fails.
   */
  return async (setup: Setup, climb: Climb, before?: Step): Promise<Step | undefined> => {
    const { firstRate, rateStep, highestRate } = climb;
    let best: Step | undefined;
    let failures = 0;
    const begin = before ? before.offered / rateStep ** STEPS_BELOW : firstRate;
    let rate = begin;
    // A server that has just started is not warmed up yet.
    if (!before) await offer(setup, climb, rate);
    while (failures < FAILURES && rate < highestRate) {
      const step = await offerWithRetries(setup, climb, rate);
      failures = step.isGood ? 0 : failures + 1;
      if (step.isGood) best = step;
      // Far below the limit the first run takes double steps.
      rate *= !before && step.isGood && step.p99 < climb.p99Ms / 2 ? rateStep ** 2 : rateStep;
    }
    for (rate = begin / rateStep; !best && rate >= firstRate / rateStep; rate /= rateStep) {
      const step = await offerWithRetries(setup, climb, rate);
      if (step.isGood) best = step;
    }
    return best;
  };
}

async function offer({ subject, redis, load, readers }: Setup, climb: Climb, rate: number): Promise<Step> {
  const { targets, streams } = climb;
  const collect = () => Promise.all(readers.map((reader) => reader.ask('collect', undefined)));
  await collect();
  const pids = Object.fromEntries(readers.map(({ pid }, i) => [`reader${i || ''}`, pid]));
  const watched = watchCpu({ server: subject.pid, redis: redis.pid, load: load.pid, ...pids });
  const startedAt = performance.now();
  const { sent, accepted } = await load.ask('offer', {
    ...{ port: subject.port, ...targets[0]!, targets },
    ...{ connections: CONNECTIONS, perSecond: rate, seconds: SECONDS },
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = watched();
  // Pending deliveries are still collected, with their full latency, and count as delivered within these seconds, which
  // end with the last response. With a p99 of 100 ms the error is at most 3 %, and the same for all subjects.
  const parts = await collect();
  const deadline = performance.now() + LAST_DELIVERIES_MS;
  let isLate: boolean;
  do {
    await sleep(300);
    const more = await collect();
    isLate = more.some(({ sampledDeliveries }) => sampledDeliveries > 0);
    parts.push(...more);
  } while (isLate && performance.now() < deadline);
  const total = (of: 'bytes' | 'sampledBytes' | 'sampledDeliveries') =>
    parts.reduce((sum, part) => sum + part[of], 0);
  const deliveries = total('bytes') / (total('sampledBytes') / total('sampledDeliveries'));
  const latencies = parts.map((part) => part.latencies);
  const p99 = percentile(latencies, 0.99);
  const isComplete = accepted === sent && deliveries > 0.99 * accepted * streams;
  return {
    offered: rate,
    perSecond: deliveries / seconds,
    p50: percentile(latencies, 0.5),
    p99,
    cpu,
    rssBytes: rssBytes(subject.pid),
    isComplete,
    isGood: isComplete && p99 <= climb.p99Ms,
  };
}

export type Results = (Step | undefined)[];

/** `results`: the result of each run; undefined if it found no rate. */
export function rowOf(subject: Subject, results: Results, row: Pick<Row, 'figure' | 'case' | 'unit'>): Row {
  const best = results.filter((step) => step !== undefined);
  const median = (values: number[]) => summary(values).median;
  const names = Object.keys(best[0]?.cpu ?? {});
  const failedRuns = results.length - best.length;
  return {
    ...row,
    subject: subject.name,
    value: summary(best.map(({ perSecond }) => perSecond)),
    latencyMs: { p50: median(best.map(({ p50 }) => p50)), p99: median(best.map(({ p99 }) => p99)) },
    cpu: Object.fromEntries(names.map((name) => [name, median(best.map(({ cpu }) => cpu[name]!))])),
    rssBytes: median(best.map((step) => step.rssBytes)),
    ...(failedRuns > 0 && { note: `${subject.name}: ${failedRuns} more runs found no acceptable rate` }),
  };
}

/** The ratio over the runs in which both have a result. */
export function ratioOf(parley: Results, peer: Results, to: string): NonNullable<Row['ratio']> {
  const ratios = parley.flatMap((step, run) => {
    const other = peer[run];
    return step && other ? [step.perSecond / other.perSecond] : [];
  });
  return { ...summary(ratios), to };
}
