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
import { startParley, startRedis } from '../servers.ts';
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

export const soak: Figure = async (log) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS + 1);
  const people = accounts(STREAMS);
  const readers = await startCrowd(server, people, { sampleEvery: SAMPLE_EVERY, query: '?presence=off' });
  const load = startWorker<LoadJobs>('load.ts');
  const writer = startWorker<CallerJobs>('callers.ts');
  const { port } = server;
  const seconds = soakMinutes * 60;
  const body = { text: 'a message of about the length that people write' };
  const dm: Call = { method: 'POST', path: `/v1/dm/${people[1]!.username}`, token: people[0]!.token, body };

  const startedAt = performance.now();
  const minutes = () => (performance.now() - startedAt) / 60_000;
  const watched = watchCpu({ server: server.pid, redis: redis.pid, load: load.pid, readers: readers.pid });
  const working = Promise.all([
    load.ask('offer', {
      ...{ port, connections: CONNECTIONS, path: '/v1/broadcasts', token: accounts(1, STREAMS)[0]!.token },
      ...{ perSecond: BROADCASTS_PER_SECOND, seconds },
    }),
    writer.ask('pace', { port, calls: [dm], perSecond: DMS_PER_SECOND, seconds }),
  ]);
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
  const cpu = watched();
  const [broadcasts, dms] = await working;
  const { latencies } = await readers.ask('collect', undefined);
  for (const each of [readers, load, writer, server, redis]) await each.stop();

  const steady = samples.filter(({ minute }) => minute > soakMinutes * WARM_UP_SHARE);
  const row = (name: string, of: (sample: Sample) => number): Row => ({
    figure: 'soak',
    case: `${name}, ${soakMinutes} minutes`,
    subject: 'parley',
    value: summary([slope(steady.map((sample) => [sample.minute, of(sample) / KIB]))]),
    unit: 'KiB/min',
    note: `${Math.round(of(steady[0]!) / KIB)} KiB after the warm-up, ${Math.round(of(steady.at(-1)!) / KIB)} at the end, ${Math.round(Math.max(...steady.map(of)) / KIB)} at most`,
  });
  const micros = dms.map((answer) => answer.micros);
  const rejected = dms.filter(({ status }) => status !== 201).length + broadcasts.failed;
  return [
    {
      ...row('RSS of the server', ({ rss }) => rss),
      ...{ goal: 'about 0', cpu, rssBytes: steady.at(-1)!.rss },
      latencyMs: { p50: percentile([latencies], 0.5), p99: percentile([latencies], 0.99) },
    },
    row('memory of Redis', (sample) => sample.redis),
    {
      ...{
        figure: 'soak',
        case: `load, to ${STREAMS.toLocaleString('en')} streams`,
        subject: 'parley',
      },
      ...{ value: summary([broadcasts.accepted / seconds]), unit: 'broadcasts/s' },
      latencyMs: { p50: quantile(micros, 0.5) / 1_000, p99: quantile(micros, 0.99) / 1_000 },
      note: `and ${DMS_PER_SECOND} dms/s, whose response latency is shown; ${rejected} rejected`,
    },
  ];
};
