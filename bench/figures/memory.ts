/**
 * The resident memory of the server per idle stream. Before: the server has served some streams and is idle again. After: all
 * streams are open, with heartbeats only, for long enough that V8 has collected garbage. All servers run side by side, each
 * with its own readers, because they are idle. nchan's value covers only its worker, and its streams are not authenticated.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import { descriptors, leftOutRow, type PeerName, type Subject, startSubjects } from '../peers.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { runsOf } from '../runs.ts';
import { startRedis } from '../servers.ts';
import { rssBytes, startWorker, type Worker } from '../stage.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

/** 18,000 streams and the other descriptors of a process stay below 20,000, a common limit of open files. */
const SIZES = [10_000, 18_000];
const SPARE_DESCRIPTORS = 500;
const WARM_UP_STREAMS = 500;
const RUNS = 5;
/** No run starts later than this. */
const LAST_START_MS = 7 * 60_000;
const WARM_UP_SETTLE_MS = 10_000;
const SETTLE_MS = 25_000;
const KIB = 1_024;
const SUBJECTS: PeerName[] = ['parley', 'nchan', 'socket.io streams', 'better-sse'];

/** Resident bytes without streams, and with each of `sizes`. */
type Run = { before: number; after: number[] };

export const memory: Figure = async (log) => {
  const sizes = SIZES.filter((size) => size + SPARE_DESCRIPTORS <= descriptors());
  const tooLarge = SIZES.filter((size) => !sizes.includes(size)).map((size) =>
    leftOutRow('memory', `${size} streams`, `not more than ${descriptors()} open files (ulimit -Hn)`),
  );
  const runs = new Map<string, Run[]>();
  let leftOut: Row[] = [];
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < LAST_START_MS; run += 1) {
    const measured = await once(sizes);
    leftOut = measured.leftOut;
    for (const [name, { before, after }] of measured.runs) {
      runs.set(name, [...(runs.get(name) ?? []), { before, after }]);
      const each = after.map((bytes, i) => `${Math.round(bytes / KIB)} with ${sizes[i]}`);
      log(`${name}: ${Math.round(before / KIB)} KiB without streams, ${each.join(', ')}`);
    }
  }
  return [...sizes.flatMap((size, i) => rowsOf(runs, size, i)), ...tooLarge, ...leftOut];
};

async function once(sizes: number[]) {
  const redis = await startRedis();
  const { subjects, leftOut } = await startSubjects(redis, 'memory', SUBJECTS);
  const tokens = accounts(sizes.at(-1) ?? 0).map(({ token }) => token);
  const setups = subjects.map((subject) => ({ subject, readers: startWorker<ReaderJobs>('readers.ts') }));
  await seed(redis, subjects[0]!.prefix, tokens.length);
  const openAll = async (some: string[]) => {
    // Sequentially: a server that competes for CPU retains more memory.
    for (const { subject, readers } of setups) await open(subject, readers, some);
  };
  await openAll(tokens.slice(0, WARM_UP_STREAMS));
  for (const { readers } of setups) await readers.ask('close', undefined);
  await sleep(WARM_UP_SETTLE_MS);
  const runs = new Map<string, Run>();
  for (const { subject } of setups) runs.set(subject.name, { before: rssBytes(subject.pid), after: [] });
  for (const [i, size] of sizes.entries()) {
    await openAll(tokens.slice(sizes[i - 1] ?? 0, size));
    await sleep(SETTLE_MS);
    for (const { subject } of setups) runs.get(subject.name)!.after.push(rssBytes(subject.pid));
  }
  for (const { subject, readers } of setups) {
    await readers.stop();
    await subject.stop();
  }
  await redis.stop();
  return { runs, leftOut };
}

const open = (subject: Subject, readers: Worker<ReaderJobs>, tokens: string[]) =>
  readers.ask('open', {
    ...{ port: subject.port, ...subject.entry, tokens, sampleEvery: Number.POSITIVE_INFINITY },
    // With presence, which is the default.
    ...(subject.name === 'parley' && { path: '/v1/events' }),
  });

function rowsOf(runs: Map<string, Run[]>, size: number, index: number): Row[] {
  const perStream = (name: string) =>
    runs.get(name)!.map(({ before, after }) => (after[index]! - before) / size / KIB);
  const parley = perStream('parley');
  return [...runs.keys()].map((name) => {
    const ratio = summary(perStream(name).map((kib, run) => parley[run]! / kib));
    return {
      figure: 'memory',
      case: `${size} idle streams`,
      subject: name,
      value: summary(perStream(name)),
      unit: 'KiB RSS per stream',
      rssBytes: summary(runs.get(name)!.map(({ after }) => after[index]!)).median,
      ...(name === 'parley' ? { goal: '≤ 10' } : { ratio: { ...ratio, to: name } }),
    };
  });
}
