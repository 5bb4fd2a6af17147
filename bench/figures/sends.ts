/**
 * Messages accepted (201) per second, compared with the bare handler and a tutorial's chat on the same Redis. There are no
 * readers: this measures the write path. (The tutorial pushes to a list, without sequence numbers, keys or trimming.)
 */
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { Driven, LoadJobs, Target } from '../load.ts';
import { type PeerName, startSubjects } from '../peers.ts';
import type { Row } from '../report.ts';
import { orderOf, runsOf } from '../runs.ts';
import { type RedisServer, type Server, startBare, startParley, startRedis } from '../servers.ts';
import { createQuiet, startWorker, type Worker, watchCpu } from '../stage.ts';
import { percentile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const RUNS = 11;
const SECONDS = 1;
const WARM_UP_SECONDS = 3;
const CONNECTIONS = [1, 64];
const ACCOUNTS = 128;
const MAX_IDLE_WAIT_MS = 120_000;
const GOALS: Record<string, string> = {
  'parley before': '≥ 0.9',
  'bare node:http': '≥ 0.9',
  tutorial: '≥ 2',
  'tutorial, key made once': '≥ 2',
};
const TEXT = 'a message of about the length that people write';

type Run = Driven & { cpu: Record<string, number> };

export const sends: Figure = async (log) => {
  const redis = await startRedis();
  const bare = await startBare(redis);
  return sendsAgainst(redis, [bare], ['tutorial', 'tutorial, key made once'], log);
};

/** Compares with running servers and with peers that it starts; stops all of them. */
export async function sendsAgainst(
  redis: RedisServer,
  others: Server[],
  names: PeerName[],
  log: Parameters<Figure>[0],
): Promise<Row[]> {
  const peers = await startSubjects(redis, 'sends', names);
  const servers: Server[] = [await startParley(redis), ...others, ...peers.subjects];
  for (const { prefix } of servers) await seed(redis, prefix, ACCOUNTS);
  const load = startWorker<LoadJobs>('load.ts');
  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  const rows: Row[] = [];
  for (const kind of ['broadcast', 'dm'] as const) {
    for (const connections of CONNECTIONS) {
      const targets = targetsOf(kind, connections);
      for (const server of servers) await once(load, redis, server, targets, WARM_UP_SECONDS);
      const runs = servers.map((): Run[] => []);
      for (let run = 0; run < runsOf(RUNS); run += 1) {
        await quiet();
        for (const i of orderOf(run, servers.length)) {
          runs[i]!.push(await once(load, redis, servers[i]!, targets, SECONDS));
        }
        const rates = servers.map(({ name }, i) => `${name} ${Math.round(runs[i]!.at(-1)!.perSecond)}/s`);
        log(`${kind}, ${connections} connections: ${rates.join(', ')}`);
      }
      const name = `${kind}, ${connections} connection${connections > 1 ? 's' : ''}`;
      const parley = runs[0]!;
      rows.push(
        ...servers.map((server, i): Row => {
          const row = rowOf(name, server, runs[i]!);
          if (i === 0) return row;
          const ratio = summary(parley.map(({ perSecond }, run) => perSecond / runs[i]![run]!.perSecond));
          const byCpu = (microsOf(runs[i]!) / microsOf(parley)).toFixed(2);
          return {
            ...row,
            ...{ ratio: { ...ratio, to: server.name }, goal: GOALS[server.name] ?? '' },
            note: `by CPU time of the server Parley's ratio to ${server.name} is ${byCpu}`,
          };
        }),
      );
    }
  }
  for (const each of [load, ...servers, redis]) await each.stop();
  return [...rows, ...peers.leftOut];
}

async function once(
  load: Worker<LoadJobs>,
  redis: RedisServer,
  server: Server,
  targets: Target[],
  seconds: number,
): Promise<Run> {
  const watched = watchCpu({ server: server.pid, redis: redis.pid, load: load.pid });
  const driven = await load.ask('drive', { port: server.port, targets, seconds });
  if (driven.failed > 0) throw new Error(`${server.name} rejected ${driven.failed} requests`);
  return { ...driven, cpu: watched() };
}

/** Every connection has its own account, which writes to one other account. */
function targetsOf(kind: 'broadcast' | 'dm', connections: number): Target[] {
  return accounts(connections).map(({ token }, i) => ({
    path: kind === 'dm' ? `/v1/dm/${usernameOf(ACCOUNTS - 1 - i)}` : '/v1/broadcasts',
    token,
    text: TEXT,
  }));
}

function rowOf(name: string, server: Server, runs: Run[]): Row {
  const latencies = runs.map((run) => run.latencies);
  const share = (who: string) => summary(runs.map(({ cpu }) => cpu[who]!)).median;
  return {
    figure: 'sends',
    case: name,
    subject: server.name,
    value: summary(runs.map(({ perSecond }) => perSecond)),
    unit: '/s',
    latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
    cpu: {
      server: share('server'),
      redis: share('redis'),
      load: share('load'),
      others: share('others'),
    },
    serverMicros: microsOf(runs),
  };
}

const microsOf = (runs: Run[]): number =>
  summary(runs.map(({ cpu, perSecond }) => (cpu['server']! * 1e6) / perSecond)).median;
