/**
 * The highest rate that is good enough: messages are offered at a rising rate, whatever the server answers, until its
 * readers get them too late. Latency is from before the POST is written until the reader has the bytes, on the one
 * clock of this machine. A step that others on this machine may have spoilt is tried again.
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
/** How long what is under way when an offer is over may take to arrive. */
const LAST_DELIVERIES_MS = 10_000;
/** A step that failed may have been an accident; two in a row are the end of a run. */
const FAILURES = 2;
/** How far below the first run's result the others begin. */
const STEPS_BELOW = 2;
/** How often a step is tried that failed while others used the machine. */
const ATTEMPTS = 3;
/** How often a figure may do that in all, and how long it may wait for others to be done. */
const REPEATS = 15;
const PATIENCE_MS = 60_000;

export type Climb = {
  targets: Pick<Target, 'path' | 'token'>[];
  /** How many streams get each message. */
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
  /** All that was sent was accepted, and delivered to all. */
  isWhole: boolean;
  /** … and in time. */
  isGood: boolean;
};
/** A subject with its streams open. */
export type Stand = {
  subject: Subject;
  redis: RedisServer;
  load: Worker<LoadJobs>;
  readers: Worker<ReaderJobs>[];
};

/** Opens a stream for each token, shared out to `processes` readers. */
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

/** Climbs for one figure: what it may wait and try again is counted over all of its climbs, so that it comes to an end. */
export function createClimber(say: (line: string) => void) {
  const quiet = createQuiet(PATIENCE_MS);
  let repeatsLeft = REPEATS;

  /** If no attempt passes, the one during which others used the machine least. */
  async function tried(stand: Stand, climb: Climb, rate: number): Promise<Step> {
    let calmest: Step | undefined;
    for (let attempt = 1; ; attempt += 1) {
      await quiet();
      const step = await offer(stand, climb, rate);
      const { perSecond, p50, p99, cpu } = step;
      const shares = Object.entries(cpu).map(([name, share]) => `${name} ${share.toFixed(2)}`);
      const latency = `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms`;
      const where = `${stand.subject.name}, ${Math.round(rate)}/s`;
      const lost = step.isWhole ? '' : ', NOT ALL ACCEPTED OR DELIVERED';
      say(`${where}: ${Math.round(perSecond)} deliveries/s, ${latency}, ${shares.join(' ')}${lost}`);
      if (step.isGood || cpu['others']! < OTHERS_LIMIT) return step;
      if (!calmest || cpu['others']! < calmest.cpu['others']!) calmest = step;
      if (attempt === ATTEMPTS || repeatsLeft === 0) return calmest;
      repeatsLeft -= 1;
    }
  }

  /**
   * The last rate that passes; undefined if none does. `before` is what an earlier run found: it saves the way up to it,
   * and if this run does not come so far, it looks further down.
   */
  return async (stand: Stand, climb: Climb, before?: Step): Promise<Step | undefined> => {
    const { firstRate, rateStep, highestRate } = climb;
    let best: Step | undefined;
    let failures = 0;
    const begin = before ? before.offered / rateStep ** STEPS_BELOW : firstRate;
    let rate = begin;
    // A server that has just started is not yet what it will be.
    if (!before) await offer(stand, climb, rate);
    while (failures < FAILURES && rate < highestRate) {
      const step = await tried(stand, climb, rate);
      failures = step.isGood ? 0 : failures + 1;
      if (step.isGood) best = step;
      // Far below the limit the first run takes two steps at once.
      rate *= !before && step.isGood && step.p99 < climb.p99Ms / 2 ? rateStep ** 2 : rateStep;
    }
    for (rate = begin / rateStep; !best && rate >= firstRate / rateStep; rate /= rateStep) {
      const step = await tried(stand, climb, rate);
      if (step.isGood) best = step;
    }
    return best;
  };
}

async function offer({ subject, redis, load, readers }: Stand, climb: Climb, rate: number): Promise<Step> {
  const { targets, streams } = climb;
  const heard = () => Promise.all(readers.map((reader) => reader.ask('heard', undefined)));
  await heard();
  const pids = Object.fromEntries(readers.map(({ pid }, i) => [`reader${i || ''}`, pid]));
  const watched = watchCpu({ server: subject.pid, redis: redis.pid, load: load.pid, ...pids });
  const startedAt = performance.now();
  const { sent, accepted } = await load.ask('offer', {
    ...{ port: subject.port, ...targets[0]!, targets },
    ...{ connections: CONNECTIONS, perSecond: rate, seconds: SECONDS },
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = watched();
  // What is still under way is heard, and counts as late as it is. It counts as delivered in these seconds, which end with
  // the last answer: where p99 is 100 ms that is 3 % at most, for everybody.
  const parts = await heard();
  const deadline = performance.now() + LAST_DELIVERIES_MS;
  let isLate: boolean;
  do {
    await sleep(300);
    const more = await heard();
    isLate = more.some(({ sampledDeliveries }) => sampledDeliveries > 0);
    parts.push(...more);
  } while (isLate && performance.now() < deadline);
  const total = (of: 'bytes' | 'sampledBytes' | 'sampledDeliveries') =>
    parts.reduce((sum, part) => sum + part[of], 0);
  const deliveries = total('bytes') / (total('sampledBytes') / total('sampledDeliveries'));
  const latencies = parts.map((part) => part.latencies);
  const p99 = percentile(latencies, 0.99);
  const isWhole = accepted === sent && deliveries > 0.99 * accepted * streams;
  return {
    offered: rate,
    perSecond: deliveries / seconds,
    p50: percentile(latencies, 0.5),
    p99,
    cpu,
    rssBytes: rssBytes(subject.pid),
    isWhole,
    isGood: isWhole && p99 <= climb.p99Ms,
  };
}

export type Found = (Step | undefined)[];

/** `found`: what each run found, also nothing. */
export function rowOf(subject: Subject, found: Found, row: Pick<Row, 'figure' | 'case' | 'unit'>): Row {
  const best = found.filter((step) => step !== undefined);
  const median = (values: number[]) => summary(values).median;
  const names = Object.keys(best[0]?.cpu ?? {});
  const inVain = found.length - best.length;
  return {
    ...row,
    subject: subject.name,
    value: summary(best.map(({ perSecond }) => perSecond)),
    latencyMs: { p50: median(best.map(({ p50 }) => p50)), p99: median(best.map(({ p99 }) => p99)) },
    cpu: Object.fromEntries(names.map((name) => [name, median(best.map(({ cpu }) => cpu[name]!))])),
    rssBytes: median(best.map((step) => step.rssBytes)),
    ...(inVain > 0 && { note: `${subject.name}: ${inVain} more runs found no rate that is good enough` }),
  };
}

/** Of the runs in which both found something. */
export function ratioOf(parley: Found, peer: Found, to: string): NonNullable<Row['ratio']> {
  const ratios = parley.flatMap((step, run) => {
    const other = peer[run];
    return step && other ? [step.perSecond / other.perSecond] : [];
  });
  return { ...summary(ratios), to };
}
