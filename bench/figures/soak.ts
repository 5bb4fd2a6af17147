/**
 * Whether the memory of a busy server grows: runs at half its capacity for half an hour (`SOAK_MINUTES`) and computes the slope
 * of its memory by least squares. The logs reach their limit (10,000 messages) after a few minutes, so Redis' memory is
 * constant too. Measured only when requested by name.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import type { Call, CallerJobs } from '../callers.ts';
import { startCrowd, usedMemory } from '../crowd.ts';
import type { LoadJobs } from '../load.ts';
import type { Row } from '../report.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { rssBytes, startWorker, watchCpu } from '../stage.ts';
import { percentile, quantile, slope, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const soakMinutes = Number(process.env['SOAK_MINUTES'] ?? 30);
/** About half the result of `fanout` with the same number of streams. */
const BROADCASTS_PER_SECOND = Number(process.env['SOAK_RATE'] ?? 2_000);
const DMS_PER_SECOND = 100;
const STREAMS = 1_000;
const SAMPLE_EVERY = 50;
const CONNECTIONS = 16;
/** The warm-up is ignored: V8 sizes its heap and the logs fill up. */
const WARM_UP_SHARE = 1 / 5;
const SAMPLE_MS = 2_000;
const KIB = 1_024;

type Sample = { minute: number; rss: number; redis: number };
type Results = Awaited<ReturnType<typeof startLoad>['finished']>;

export const soak: Figure = async (log) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS + 1);
  const readers = await startCrowd(server, accounts(STREAMS), {
    sampleEvery: SAMPLE_EVERY,
    query: '?presence=off',
  });
  const load = startLoad(server);
  const pids = { server: server.pid, redis: redis.pid, load: load.pid, readers: readers.pid };
  const finishCpu = watchCpu(pids);
  const samples = await sampleMemory(server, redis, log);
  const cpu = finishCpu();
  const { broadcasts, dms } = await load.finished;
  const { latencies } = await readers.ask('collect', undefined);
  for (const each of [readers, load, server, redis]) await each.stop();

  const steady = samples.filter(({ minute }) => minute > soakMinutes * WARM_UP_SHARE);
  return [
    {
      ...memoryRow('RSS of the server', steady, ({ rss }) => rss),
      ...{ goal: 'about 0', cpu, rssBytes: steady.at(-1)!.rss },
      latencyMs: { p50: percentile([latencies], 0.5), p99: percentile([latencies], 0.99) },
    },
    memoryRow('memory of Redis', steady, (sample) => sample.redis),
    loadRow(broadcasts, dms),
  ];
};

/** Broadcasts and direct messages at fixed rates for the whole figure. */
function startLoad({ port }: Server) {
  const load = startWorker<LoadJobs>('load.ts');
  const writer = startWorker<CallerJobs>('callers.ts');
  const [sender, recipient] = accounts(2);
  const seconds = soakMinutes * 60;
  const body = { text: 'a message of about the length that people write' };
  const dm: Call = { method: 'POST', path: `/v1/dm/${recipient!.username}`, token: sender!.token, body };
  const working = Promise.all([
    load.ask('offer', {
      ...{ port, connections: CONNECTIONS, path: '/v1/broadcasts', token: accounts(1, STREAMS)[0]!.token },
      ...{ perSecond: BROADCASTS_PER_SECOND, seconds },
    }),
    writer.ask('pace', { port, calls: [dm], perSecond: DMS_PER_SECOND, seconds }),
  ]);
  return {
    pid: load.pid,
    finished: working.then(([broadcasts, dms]) => ({ broadcasts, dms })),
    stop: async () => {
      await load.stop();
      await writer.stop();
    },
  };
}

async function sampleMemory(
  server: Server,
  redis: RedisServer,
  log: (line: string) => void,
): Promise<Sample[]> {
  const startedAt = performance.now();
  const minutes = () => (performance.now() - startedAt) / 60_000;
  const samples: Sample[] = [];
  let loggedAt = 0;
  while (minutes() < soakMinutes) {
    await sleep(SAMPLE_MS);
    const sample = { minute: minutes(), rss: rssBytes(server.pid), redis: await usedMemory(redis) };
    samples.push(sample);
    if (sample.minute < loggedAt + 1) continue;
    loggedAt = sample.minute;
    log(
      `${sample.minute.toFixed(1)} min: RSS ${Math.round(sample.rss / KIB)} KiB, Redis ${Math.round(sample.redis / KIB)} KiB`,
    );
  }
  return samples;
}

function memoryRow(name: string, steady: Sample[], of: (sample: Sample) => number): Row {
  const kib = (sample: Sample) => Math.round(of(sample) / KIB);
  return {
    figure: 'soak',
    case: `${name}, ${soakMinutes} minutes`,
    subject: 'parley',
    value: summary([slope(steady.map((sample) => [sample.minute, of(sample) / KIB]))]),
    unit: 'KiB/min',
    note: `${kib(steady[0]!)} KiB after the warm-up, ${kib(steady.at(-1)!)} at the end, ${Math.max(...steady.map(kib))} at most`,
  };
}

function loadRow(broadcasts: Results['broadcasts'], dms: Results['dms']): Row {
  const micros = dms.map((answer) => answer.micros);
  const rejected = dms.filter(({ status }) => status !== 201).length + broadcasts.failed;
  return {
    figure: 'soak',
    case: `load, to ${STREAMS.toLocaleString('en')} streams`,
    subject: 'parley',
    value: summary([broadcasts.accepted / (soakMinutes * 60)]),
    unit: 'broadcasts/s',
    latencyMs: { p50: quantile(micros, 0.5) / 1_000, p99: quantile(micros, 0.99) / 1_000 },
    note: `and ${DMS_PER_SECOND} dms/s, whose response latency is shown; ${rejected} rejected`,
  };
}
