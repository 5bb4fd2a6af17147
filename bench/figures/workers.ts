/**
 * The benefit of a second worker: sends accepted and deliveries to many streams per second, with WORKERS=1 and 2. If the load,
 * the readers and Redis need the cores too, more workers cannot increase the rate; then the CPU time of all server processes
 * per send or delivery shows the cost of the division itself.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { LoadJobs, Target } from '../load.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { createQuiet, startWorker, type Worker, watchCpu } from '../stage.ts';
import { stampedText } from '../stamp.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

const WORKERS = [1, 2];
const RUNS = 7;
const SECONDS = 1;
const WARM_UP_SECONDS = 2;
const CONNECTIONS = 64;
const STREAMS = 1_000;
/** Broadcasts per run; each goes to all streams. */
const BROADCASTS = 400;
const DELIVERED_WITHIN_MS = 20_000;
const MAX_IDLE_WAIT_MS = 30_000;

type Run = { perSecond: number; cpu: Record<string, number> };

/** The servers to compare, and what loads them. */
type Setup = {
  redis: RedisServer;
  servers: Server[];
  load: Worker<LoadJobs>;
  readers: Worker<ReaderJobs>[];
  /** Waits until the machine is idle. */
  quiet: () => Promise<void>;
  log: Parameters<Figure>[0];
};

export const workers: Figure = async (log) => {
  const redis = await startRedis();
  const load = startWorker<LoadJobs>('load.ts');
  const servers: Server[] = [];
  for (const count of WORKERS) servers.push(await startServer(redis, count));
  const readers = servers.map(() => startWorker<ReaderJobs>('readers.ts'));
  const setup = { redis, servers, load, readers, quiet: createQuiet(MAX_IDLE_WAIT_MS), log };
  const rows: Row[] = [];
  for (const kind of ['broadcast', 'dm'] as const)
    rows.push(
      ...(await compare(setup, `${kind}, ${CONNECTIONS} connections`, '/s', (i, seconds) =>
        measureSends(setup, i, kind, seconds),
      )),
    );
  const tokens = accounts(STREAMS, 2 * CONNECTIONS).map(({ token }) => token);
  for (const [i, { port }] of servers.entries())
    await readers[i]!.ask('open', { port, path: '/v1/events?presence=off', tokens, sampleEvery: 25 });
  rows.push(
    ...(await compare(setup, `broadcasts to ${STREAMS} streams`, 'deliveries/s', (i) =>
      measureDeliveries(setup, i),
    )),
  );
  for (const each of [load, ...readers, ...servers, redis]) await each.stop();
  return rows;
};

async function startServer(redis: RedisServer, count: number): Promise<Server> {
  const prefix = `workers-${count}:`; // a server with the same prefix would process the other's broadcasts
  const server = await startParley(redis, { WORKERS: String(count), KEY_PREFIX: prefix });
  await seed(redis, prefix, STREAMS + 2 * CONNECTIONS);
  return { ...server, name: `${count} worker${count > 1 ? 's' : ''}`, prefix };
}

/** Measures both servers in turn, in alternating order. */
async function compare(
  { servers, quiet, log }: Setup,
  name: string,
  unit: string,
  measure: (i: number, seconds: number) => Promise<Run>,
): Promise<Row[]> {
  for (const i of servers.keys()) await measure(i, WARM_UP_SECONDS);
  const runs = servers.map((): Run[] => []);
  for (let run = 0; run < RUNS; run += 1) {
    await quiet();
    for (const i of run % 2 ? [1, 0] : [0, 1]) runs[i]!.push(await measure(i, SECONDS));
    log(`${name}: ${runs.map((each) => Math.round(each.at(-1)!.perSecond)).join(' and ')} ${unit}`);
  }
  const ratio = summary(runs[1]!.map(({ perSecond }, run) => perSecond / runs[0]![run]!.perSecond));
  return servers.map(({ name: subject }, i) => {
    const row = rowOf(subject, name, unit, runs[i]!);
    return i === 1 ? { ...row, ratio: { ...ratio, to: servers[0]!.name } } : row;
  });
}

async function measureSends(
  { redis, servers, load }: Setup,
  i: number,
  kind: 'broadcast' | 'dm',
  seconds: number,
): Promise<Run> {
  const server = servers[i]!;
  const finishCpu = watchCpu({ ...pidsOf(server), redis: redis.pid, load: load.pid });
  const { port } = server;
  const { perSecond, failed } = await load.ask('drive', { port, seconds, targets: targetsOf(kind) });
  if (failed > 0) throw new Error(`${server.name} rejected ${failed} requests`);
  return { perSecond, cpu: finishCpu() };
}

async function measureDeliveries({ redis, servers, load, readers }: Setup, i: number): Promise<Run> {
  const [server, reader] = [servers[i]!, readers[i]!];
  await reader.ask('collect', undefined);
  const finishCpu = watchCpu({ ...pidsOf(server), redis: redis.pid, load: load.pid, reader: reader.pid });
  const startedAt = performance.now();
  const [targets, count] = [targetsOf('broadcast'), BROADCASTS];
  const { failed } = await load.ask('drive', { port: server.port, targets, seconds: 60, count });
  if (failed > 0) throw new Error(`${server.name} rejected ${failed} requests`);
  let [bytes, sampledBytes, sampled] = [0, 0, 0];
  const delivered = () => bytes / (sampledBytes / sampled);
  while (!(delivered() > 0.999 * BROADCASTS * STREAMS)) {
    if (performance.now() - startedAt > DELIVERED_WITHIN_MS)
      throw new Error('not all broadcasts were delivered');
    await sleep(10);
    const received = await reader.ask('collect', undefined);
    bytes += received.bytes;
    sampledBytes += received.sampledBytes;
    sampled += received.sampledDeliveries;
  }
  return { perSecond: delivered() / ((performance.now() - startedAt) / 1_000), cpu: finishCpu() };
}

/** The server process and its workers, if any; Redis is not a child process. */
function pidsOf({ pid }: Server): Record<string, number> {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean);
  return { server: pid, ...Object.fromEntries(children.map((child, i) => [`worker${i}`, Number(child)])) };
}

/** Every connection has its own account, which writes to one other account. */
function targetsOf(kind: 'broadcast' | 'dm'): Target[] {
  return accounts(CONNECTIONS).map(({ token }, i) => ({
    path: kind === 'dm' ? `/v1/dm/${usernameOf(CONNECTIONS + i)}` : '/v1/broadcasts',
    token,
    text: stampedText(0),
  }));
}

function rowOf(subject: string, name: string, unit: string, runs: Run[]): Row {
  const median = (pick: (run: Run) => number) => summary(runs.map(pick)).median;
  const serverOf = ({ cpu }: Run) =>
    Object.entries(cpu).reduce((sum, [who, share]) => (/^server|^worker/.test(who) ? sum + share : sum), 0);
  const others = Object.keys(runs[0]!.cpu).filter((who) => !/^server|^worker/.test(who));
  return {
    figure: 'workers',
    case: name,
    subject,
    value: summary(runs.map(({ perSecond }) => perSecond)),
    unit,
    cpu: {
      server: median(serverOf),
      ...Object.fromEntries(others.map((who) => [who, median(({ cpu }) => cpu[who]!)])),
    },
    serverMicros: median((run) => (serverOf(run) * 1e6) / run.perSecond),
  };
}
