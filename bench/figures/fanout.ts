/**
 * The highest rate of deliveries at which 99 of 100 messages are read within 100 ms. Broadcasts are posted at a rising
 * rate, whatever the server answers, and go to every stream. Latency is from before the POST is written until the
 * reader has the bytes, on the one clock of this machine.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import type { LoadJobs } from '../load.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { createQuiet, OTHERS_LIMIT, startWorker, type Worker, watchCpu } from '../stage.ts';
import { percentile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 1_000;
const READER_PROCESSES = 1;
const SAMPLE_EVERY = 25;
const RUNS = 5;
/** No run begins later than this. */
const BEGIN_WITHIN_MS = 5 * 60_000;
const SECONDS = 3;
const FIRST_RATE = 400;
const RATE_STEP = 1.25;
const HIGHEST_RATE = 12_000;
const P99_MS = 100;
/** A step that failed may have been an accident; two in a row are the end of a run. */
const FAILURES = 2;
/** How far below the first run's result the others begin. */
const STEPS_BELOW = 3;
/** How often a step is tried that failed while others used the machine. */
const ATTEMPTS = 3;
const PATIENCE_MS = 150_000;
const CONNECTIONS = 16;

type Step = {
  offered: number;
  perSecond: number;
  p50: number;
  p99: number;
  cpu: Record<string, number>;
  isGood: boolean;
};

export const fanout: Figure = async (say) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS + 1);
  const load = startWorker<LoadJobs>('load.ts');
  const readers = Array.from({ length: READER_PROCESSES }, () => startWorker<ReaderJobs>('readers.ts'));
  const tokens = accounts(STREAMS).map(({ token }) => token);
  const each = Math.ceil(STREAMS / READER_PROCESSES);
  for (const [i, reader] of readers.entries()) {
    const part = tokens.slice(i * each, (i + 1) * each);
    await reader.ask('open', {
      ...{ port: server.port, path: '/v1/events?presence=off' },
      ...{ tokens: part, sampleEvery: SAMPLE_EVERY },
    });
  }
  const sender = accounts(1, STREAMS)[0]!.token;
  const quiet = createQuiet(PATIENCE_MS);
  const offerOnce: Offer = async (rate) => {
    await quiet();
    return offer({ redis, server, load, readers, sender, rate });
  };
  await offerOnce(FIRST_RATE);
  const best: Step[] = [];
  let inVain = 0;
  const startedAt = performance.now();
  for (let run = 0; run < RUNS && performance.now() - startedAt < BEGIN_WITHIN_MS; run += 1) {
    const from = best[0] ? best[0].offered / RATE_STEP ** STEPS_BELOW : FIRST_RATE;
    const found = await highest(offerOnce, from, say);
    if (found) best.push(found);
    else inVain += 1;
  }
  for (const worker of [load, ...readers, server, redis]) await worker.stop();
  const row = rowOf(best, server);
  if (inVain > 0) row.note = `${inVain} more runs found no rate with p99 ≤ ${P99_MS} ms`;
  return [row];
};

type Offer = (rate: number) => Promise<Step>;

/** If no attempt passes, the one during which others used the machine least. */
async function tried(offerOnce: Offer, rate: number, say: (line: string) => void): Promise<Step> {
  const steps: Step[] = [];
  while (steps.length < ATTEMPTS) {
    const step = await offerOnce(rate);
    const { perSecond, p50, p99, cpu } = step;
    const shares = Object.entries(cpu).map(([name, share]) => `${name} ${share.toFixed(2)}`);
    const latency = `p50 ${p50.toFixed(1)} p99 ${p99.toFixed(1)} ms`;
    say(`${Math.round(rate)}/s: ${Math.round(perSecond)} deliveries/s, ${latency}, ${shares.join(' ')}`);
    if (step.isGood || cpu['others']! < OTHERS_LIMIT) return step;
    steps.push(step);
  }
  return steps.reduce((quiet, step) => (step.cpu['others']! < quiet.cpu['others']! ? step : quiet));
}

/** The last rate that passes. Undefined if none does. */
async function highest(offerOnce: Offer, from: number, say: (line: string) => void) {
  let best: Step | undefined;
  let failures = 0;
  for (let rate = from; failures < FAILURES && rate < HIGHEST_RATE; rate *= RATE_STEP) {
    const step = await tried(offerOnce, rate, say);
    failures = step.isGood ? 0 : failures + 1;
    if (step.isGood) best = step;
  }
  return best;
}

async function offer(stage: {
  redis: RedisServer;
  server: Server;
  load: Worker<LoadJobs>;
  readers: Worker<ReaderJobs>[];
  sender: string;
  rate: number;
}): Promise<Step> {
  const { redis, server, load, readers, sender, rate } = stage;
  const heard = () => Promise.all(readers.map((reader) => reader.ask('heard', undefined)));
  await heard();
  const pids = Object.fromEntries(readers.map(({ pid }, i) => [`reader${i || ''}`, pid]));
  const watched = watchCpu({ server: server.pid, redis: redis.pid, load: load.pid, ...pids });
  const startedAt = performance.now();
  const { sent, accepted } = await load.ask('offer', {
    ...{ port: server.port, path: '/v1/broadcasts', token: sender },
    ...{ connections: CONNECTIONS, perSecond: rate, seconds: SECONDS },
  });
  const seconds = (performance.now() - startedAt) / 1_000;
  const cpu = watched();
  // What is still under way is heard, and counts as late as it is; it is not counted as delivered in these seconds
  // unless it is: the time until the last answer is part of them.
  const parts = await heard();
  let bytes: number;
  do {
    await sleep(300);
    const more = await heard();
    bytes = more.reduce((sum, part) => sum + part.bytes, 0);
    parts.push(...more);
  } while (bytes > STREAMS * 100);
  const total = (of: 'bytes' | 'sampledBytes' | 'sampledDeliveries') =>
    parts.reduce((sum, part) => sum + part[of], 0);
  const deliveries = total('bytes') / (total('sampledBytes') / total('sampledDeliveries'));
  const latencies = parts.map((part) => part.latencies);
  const p99 = percentile(latencies, 0.99);
  const isWhole = accepted === sent && deliveries > 0.99 * accepted * STREAMS;
  return {
    offered: rate,
    perSecond: deliveries / seconds,
    p50: percentile(latencies, 0.5),
    p99,
    cpu,
    isGood: isWhole && p99 <= P99_MS,
  };
}

function rowOf(best: Step[], server: Server): Row {
  const median = (values: number[]) => summary(values).median;
  const names = Object.keys(best[0]?.cpu ?? {});
  return {
    figure: 'fanout',
    case: `${STREAMS} streams, p99 ≤ ${P99_MS} ms`,
    subject: server.name,
    value: summary(best.map(({ perSecond }) => perSecond)),
    unit: 'deliveries/s',
    goal: '≥ 1,000,000',
    latencyMs: { p50: median(best.map(({ p50 }) => p50)), p99: median(best.map(({ p99 }) => p99)) },
    cpu: Object.fromEntries(names.map((name) => [name, median(best.map(({ cpu }) => cpu[name]!))])),
  };
}
