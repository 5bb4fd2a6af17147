/**
 * Whether a server that works for long grows: half of what it can do, for half an hour (`SOAK_MINUTES`), and the slope
 * of its memory by least squares. The logs that are written to are full after a few minutes (10,000 messages kept), so
 * that Redis' memory is level too. Measured only when it is asked for by name.
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
/** About half of what `fanout` finds with as many streams. */
const BROADCASTS_PER_SECOND = Number(process.env['SOAK_RATE'] ?? 2_000);
const DMS_PER_SECOND = 100;
const STREAMS = 1_000;
const SAMPLE_EVERY = 50;
const CONNECTIONS = 16;
/** The first part of it is not looked at: V8 sizes its heap, logs fill up. */
const WARM_UP_SHARE = 1 / 5;
const LOOK_MS = 2_000;
const KIB = 1_024;

type Look = { minute: number; rss: number; redis: number };

export const soak: Figure = async (say) => {
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
  const looks: Look[] = [];
  let saidAt = 0;
  while (minutes() < soakMinutes) {
    await sleep(LOOK_MS);
    const look = { minute: minutes(), rss: rssBytes(server.pid), redis: await usedMemory(redis) };
    looks.push(look);
    if (look.minute < saidAt + 1) continue;
    saidAt = look.minute;
    say(
      `${look.minute.toFixed(1)} min: RSS ${Math.round(look.rss / KIB)} KiB, Redis ${Math.round(look.redis / KIB)} KiB`,
    );
  }
  const cpu = watched();
  const [broadcasts, dms] = await working;
  const { latencies } = await readers.ask('heard', undefined);
  for (const each of [readers, load, writer, server, redis]) await each.stop();

  const steady = looks.filter(({ minute }) => minute > soakMinutes * WARM_UP_SHARE);
  const row = (name: string, of: (look: Look) => number): Row => ({
    figure: 'soak',
    case: `${name}, ${soakMinutes} minutes`,
    subject: 'parley',
    value: summary([slope(steady.map((look) => [look.minute, of(look) / KIB]))]),
    unit: 'KiB/min',
    note: `${Math.round(of(steady[0]!) / KIB)} KiB after the warm-up, ${Math.round(of(steady.at(-1)!) / KIB)} at the end, ${Math.round(Math.max(...steady.map(of)) / KIB)} at most`,
  });
  const micros = dms.map((answer) => answer.micros);
  const refused = dms.filter(({ status }) => status !== 201).length + broadcasts.failed;
  return [
    {
      ...row('RSS of the server', ({ rss }) => rss),
      ...{ goal: 'about 0', cpu, rssBytes: steady.at(-1)!.rss },
      latencyMs: { p50: percentile([latencies], 0.5), p99: percentile([latencies], 0.99) },
    },
    row('memory of Redis', (look) => look.redis),
    {
      ...{
        figure: 'soak',
        case: `what was sent, to ${STREAMS.toLocaleString('en')} streams`,
        subject: 'parley',
      },
      ...{ value: summary([broadcasts.accepted / seconds]), unit: 'broadcasts/s' },
      latencyMs: { p50: quantile(micros, 0.5) / 1_000, p99: quantile(micros, 0.99) / 1_000 },
      note: `and ${DMS_PER_SECOND} dms/s, whose answers' latency this is; ${refused} refused`,
    },
  ];
};
