/**
 * The cost of idle streams: the server's CPU share, including heartbeats. Measured once without any activity, and once while
 * one account comes online and one goes offline every second, which is sent to all streams.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Account, accounts, seed } from '../accounts.ts';
import { commandCalls, startCrowd, sumOf } from '../crowd.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { runsOf } from '../runs.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { createQuiet, rssBytes, startWorker, type Worker, watchCpu } from '../stage.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const RUNS = 5;
/** Longer than the heartbeat interval: every stream gets at least one. */
const WINDOW_MS = 30_000;
const MAX_IDLE_WAIT_MS = 60_000;
/** More than visit within one run: each goes offline 5 s after its stream ends. */
const VISITORS = 100;
/**
 * Until the last visitor is offline, all streams have been notified, and V8 has collected the garbage: it collects up to
 * three times, about 8 s apart, after a busy process becomes idle.
 */
const SETTLED_MS = 30_000;

type Run = { cpu: Record<string, number>; commands: number };

export const idle: Figure = async (log) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS + VISITORS);
  const readers = await startCrowd(server, accounts(STREAMS));
  const visitors = startWorker<ReaderJobs>('readers.ts');
  const pids = { server: server.pid, redis: redis.pid, readers: readers.pid };
  const people = accounts(VISITORS, STREAMS);
  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  const results: { alone: Run; visited: Run }[] = [];
  for (let run = 0; run < runsOf(RUNS); run += 1) {
    await sleep(SETTLED_MS);
    await quiet();
    const alone = await watched(redis, pids, () => sleep(WINDOW_MS));
    const visited = await watched(redis, pids, () => visit(server, visitors, people));
    results.push({ alone, visited });
    const share = ({ cpu }: Run) => `server ${(cpu['server']! * 100).toFixed(2)} %`;
    log(`${share(alone)}, ${Math.round(alone.commands)} Redis commands/s; with visitors ${share(visited)}`);
  }
  const rss = rssBytes(server.pid);
  for (const each of [readers, visitors, server, redis]) await each.stop();
  const streams = `${STREAMS.toLocaleString('en')} idle streams`;
  const [alone, visited] = [results.map((run) => run.alone), results.map((run) => run.visited)];
  return [
    { ...rowOf(streams, alone), goal: '≤ 1', rssBytes: rss },
    rowOf(`${streams}, each second one account comes online and one goes offline`, visited),
  ];
};

async function watched(
  redis: RedisServer,
  pids: Record<string, number>,
  work: () => Promise<unknown>,
): Promise<Run> {
  const before = sumOf(await commandCalls(redis));
  const startedAt = performance.now();
  const cpuOf = watchCpu(pids);
  await work();
  const cpu = cpuOf();
  const seconds = (performance.now() - startedAt) / 1_000;
  return { cpu, commands: (sumOf(await commandCalls(redis)) - before) / seconds };
}

async function visit({ port }: Server, visitors: Worker<ReaderJobs>, people: Account[]): Promise<void> {
  const startedAt = performance.now();
  for (let second = 0; second < WINDOW_MS / 1_000; second += 1) {
    const tokens = [people[second % people.length]!.token];
    await visitors.ask('open', { port, path: '/v1/events', tokens, sampleEvery: 1 });
    await visitors.ask('close', undefined);
    await sleep(Math.max(0, startedAt + (second + 1) * 1_000 - performance.now()));
  }
}

function rowOf(name: string, results: Run[]): Row {
  const median = (of: (run: Run) => number) => summary(results.map(of)).median;
  const names = Object.keys(results[0]!.cpu);
  return {
    ...{ figure: 'idle', case: name, subject: 'parley' },
    value: summary(results.map(({ cpu }) => cpu['server']! * 100)),
    unit: '% of a core',
    cpu: Object.fromEntries(names.map((each) => [each, median(({ cpu }) => cpu[each]!)])),
    note: `Redis runs ${Math.round(median(({ commands }) => commands)).toLocaleString('en')} commands/s for it`,
  };
}
