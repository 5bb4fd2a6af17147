/**
 * One message to 10,000 streams: the time until the last reader has it, once alone and once with direct messages in the
 * background. Each run opens its streams again with only one server running, because an idle server with 10,000 streams uses
 * CPU. nchan's streams subscribe to their own channel besides the broadcasts, like Parley's to their inbox.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { LoadJobs } from '../load.ts';
import { descriptors, leftOutRow, type PeerName, type Subject, startSubjects } from '../peers.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { orderOf, runsOf } from '../runs.ts';
import { type RedisServer, startRedis } from '../servers.ts';
import { createQuiet, startWorker, type Worker, watchCpu } from '../stage.ts';
import { percentile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const SPARE_DESCRIPTORS = 500;
const RUNS = 5;
/** No run starts later than this. */
const LAST_START_MS = 6 * 60_000;
const WARM_UP_MESSAGES = 3;
const MESSAGES = 9;
/** Pause between two messages, so that all have been read and garbage of one does not affect the next. */
const PAUSE_SECONDS = 0.5;
const LAST_READER_MS = 10_000;
const DMS_PER_SECOND = 500;
/** Number of sending accounts, and of receiving accounts. */
const DM_ACCOUNTS = 100;
const DM_SECONDS = 120;
const MAX_IDLE_WAIT_MS = 60_000;
const SUBJECTS: PeerName[] = ['parley', 'nchan'];
const CASES = ['alone', 'mixed'] as const;
const CASE_NAMES = { alone: 'one message', mixed: `one message beside ${DMS_PER_SECOND} dms/s` };

type Case = (typeof CASES)[number];
/** Delivery times of one message, in ms. */
type Delivery = { p50: number; p99: number; last: number };
type Measured = { deliveries: Delivery[]; cpu: Record<string, number> };
type Run = Record<Case, Measured>;
type Runs = Record<string, Run[]>;

export const spread: Figure = async (log) => {
  if (descriptors() < STREAMS + SPARE_DESCRIPTORS) {
    const why = `${STREAMS} streams need more open files than ${descriptors()}: raise the hard limit (ulimit -Hn)`;
    return SUBJECTS.map((name) => leftOutRow('spread', name, why));
  }
  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  const runs: Runs = Object.fromEntries(SUBJECTS.map((name) => [name, []]));
  let leftOut: Row[] = [];
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < LAST_START_MS; run += 1) {
    for (const i of orderOf(run, SUBJECTS.length)) {
      const name = SUBJECTS[i]!;
      if (leftOut.some(({ subject }) => subject === name)) continue;
      await quiet();
      const redis = await startRedis();
      const started = await startSubjects(redis, 'spread', [name]);
      leftOut = [...leftOut, ...started.leftOut];
      for (const subject of started.subjects) {
        const measured = await once(redis, subject);
        runs[name]!.push(measured);
        for (const each of CASES) {
          const { cpu } = measured[each];
          const shares = Object.entries(cpu).map(([who, share]) => `${who} ${share.toFixed(2)}`);
          log(`${name}, ${each}: ${medianOf(measured[each], 'last').toFixed(1)} ms, ${shares.join(' ')}`);
        }
        await subject.stop();
      }
      await redis.stop();
    }
  }
  return [...CASES.flatMap((each) => rowsOf(runs, each)), ...leftOut];
};

async function once(redis: RedisServer, subject: Subject): Promise<Run> {
  await seed(redis, subject.prefix, STREAMS + 1);
  const reader = startWorker<ReaderJobs>('readers.ts');
  const load = startWorker<LoadJobs>('load.ts');
  const background = startWorker<LoadJobs>('load.ts');
  const all = accounts(STREAMS);
  await reader.ask('open', {
    ...{ port: subject.port, ...subject.entry, sampleEvery: 1 },
    tokens: all.map(({ token }) => token),
    ...(subject.pathOf && { paths: all.map(({ username }) => subject.pathOf!(username)) }),
  });
  const watch = () =>
    watchCpu({
      server: subject.pid,
      redis: redis.pid,
      load: load.pid,
      dms: background.pid,
      reader: reader.pid,
    });
  for (let i = 0; i < WARM_UP_MESSAGES; i += 1) await sendOne(load, reader, subject);
  const alone = await sendSeveral(load, reader, subject, watch);
  const dms = {
    ...{ port: subject.port, path: '', token: '', connections: 4 },
    ...{ perSecond: DMS_PER_SECOND, isStamped: false },
    targets: all.slice(0, DM_ACCOUNTS).map(({ token }, i) => ({
      path: `/v1/dm/${usernameOf(STREAMS - 1 - i)}`,
      token,
    })),
  };
  const { sent, accepted } = await background.ask('offer', { ...dms, seconds: 1 });
  if (accepted < sent) throw new Error(`${subject.name} accepted ${accepted} of ${sent} direct messages`);
  // Still running at the end of the measurement; stopping its process ends it.
  void background.ask('offer', { ...dms, seconds: DM_SECONDS }).catch(() => {});
  for (let i = 0; i < WARM_UP_MESSAGES; i += 1) await sendOne(load, reader, subject);
  const mixed = await sendSeveral(load, reader, subject, watch);
  for (const each of [background, load, reader]) await each.stop();
  return { alone, mixed };
}

async function sendSeveral(
  load: Worker<LoadJobs>,
  reader: Worker<ReaderJobs>,
  subject: Subject,
  watch: () => () => Record<string, number>,
): Promise<Measured> {
  const watched = watch();
  const deliveries: Delivery[] = [];
  for (let i = 0; i < MESSAGES; i += 1) deliveries.push(await sendOne(load, reader, subject));
  return { deliveries, cpu: watched() };
}

/** Posts one message and waits until all readers have it. */
async function sendOne(
  load: Worker<LoadJobs>,
  reader: Worker<ReaderJobs>,
  subject: Subject,
): Promise<Delivery> {
  const [{ token } = { token: '' }] = accounts(1, STREAMS);
  await reader.ask('collect', undefined);
  const { accepted } = await load.ask('offer', {
    ...{ port: subject.port, path: '/v1/broadcasts', token, connections: 1 },
    ...{ perSecond: 1 / PAUSE_SECONDS, seconds: PAUSE_SECONDS },
  });
  if (accepted !== 1) throw new Error(`${subject.name} rejected a broadcast`);
  const parts = [];
  const deadline = performance.now() + LAST_READER_MS;
  for (let remaining = STREAMS; remaining > 0; ) {
    if (performance.now() > deadline)
      throw new Error(`${subject.name}: ${remaining} readers did not receive a message`);
    // Poll rarely: each reply costs the readers time.
    await sleep(PAUSE_SECONDS * 500);
    const { latencies, sampledDeliveries } = await reader.ask('collect', undefined);
    parts.push(latencies);
    remaining -= sampledDeliveries;
  }
  return { p50: percentile(parts, 0.5), p99: percentile(parts, 0.99), last: percentile(parts, 1) };
}

const medianOf = ({ deliveries }: Measured, of: keyof Delivery): number =>
  summary(deliveries.map((each) => each[of])).median;

function rowsOf(runs: Runs, which: Case): Row[] {
  const lasts = (name: string) => runs[name]!.map((run) => medianOf(run[which], 'last'));
  const parley = lasts('parley');
  return Object.entries(runs).flatMap(([name, its]): Row[] => {
    if (its.length === 0) return [];
    const all = its.map((run) => run[which]);
    const over = (of: (measured: Measured) => number) => summary(all.map(of)).median;
    const ratios = lasts(name).map((ms, run) => parley[run]! / ms);
    const names = Object.keys(all[0]!.cpu);
    return [
      {
        figure: 'spread',
        case: `${CASE_NAMES[which]}, ${STREAMS} streams`,
        subject: name,
        value: summary(lasts(name)),
        unit: 'ms until the last has it',
        latencyMs: { p50: over((each) => medianOf(each, 'p50')), p99: over((each) => medianOf(each, 'p99')) },
        cpu: Object.fromEntries(names.map((who) => [who, over(({ cpu }) => cpu[who]!)])),
        ...(name !== 'parley' && { ratio: { ...summary(ratios), to: name }, goal: '≤ 1.1' }),
      },
    ];
  });
}
