/**
 * A login storm: far more logins than bcrypt can check. Measures the effect on connected clients (delivery latency, event-loop
 * lag), the outcome of accepted logins, and how quickly the others are rejected.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import bcrypt from 'bcrypt';
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { Answer, Call, CallerJobs } from '../callers.ts';
import { startCrowd } from '../crowd.ts';
import type { LoadJobs } from '../load.ts';
import type { Row } from '../report.ts';
import { runsOf } from '../runs.ts';
import { freePort, startParley, startRedis } from '../servers.ts';
import { createQuiet, startWorker, watchCpu } from '../stage.ts';
import { percentile, quantile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 1_000;
const SAMPLE_EVERY = 25;
const BROADCASTS_PER_SECOND = 20;
const LOGINS_PER_SECOND = 50;
const STORM_SECONDS = 30;
const QUIET_SECONDS = 15;
const RUNS = 5;
const MAX_IDLE_WAIT_MS = 60_000;
const PASSWORD = 'correct horse battery';
/** The default of BCRYPT_COST. */
const COST = 12;
const LOGIN_ACCOUNTS = 2_000;
/** A later rejection means that the login had been admitted and then timed out. */
const IMMEDIATE_US = 1e6;
/** Period of the timer that measures the event-loop lag (src/metrics.ts). */
const LAG_PERIOD_MS = 20;

type Part = { p50: number; p99: number; lagMs: number; answers: Answer[]; cpu: Record<string, number> };

export const logins: Figure = async (log) => {
  const redis = await startRedis();
  const metricsPort = await freePort();
  const server = await startParley(redis, { METRICS_PORT: String(metricsPort), BCRYPT_COST: String(COST) });
  await seed(redis, server.prefix, STREAMS + LOGIN_ACCOUNTS, await bcrypt.hash(PASSWORD, COST));
  const readers = await startCrowd(server, accounts(STREAMS), { sampleEvery: SAMPLE_EVERY });
  const load = startWorker<LoadJobs>('load.ts');
  const loginLoad = startWorker<CallerJobs>('callers.ts');
  const sender = accounts(1, STREAMS)[0]!.token;
  const calls = Array.from({ length: LOGIN_ACCOUNTS }, (_, i): Call => {
    const body = { username: usernameOf(STREAMS + i), password: PASSWORD };
    return { method: 'POST', path: '/v1/login', body };
  });

  async function part(seconds: number, perSecond: number): Promise<Part> {
    await readers.ask('collect', undefined);
    await lag(metricsPort);
    const watched = watchCpu({
      server: server.pid,
      load: load.pid,
      readers: readers.pid,
      logins: loginLoad.pid,
    });
    const [answers] = await Promise.all([
      perSecond > 0 ? loginLoad.ask('pace', { port: server.port, calls, perSecond, seconds }) : [],
      load.ask('offer', {
        ...{ port: server.port, connections: 4, path: '/v1/broadcasts', token: sender },
        ...{ perSecond: BROADCASTS_PER_SECOND, seconds },
      }),
    ]);
    const cpu = watched();
    const lagMs = await lag(metricsPort);
    await sleep(500);
    const { latencies } = await readers.ask('collect', undefined);
    return { p50: percentile([latencies], 0.5), p99: percentile([latencies], 0.99), lagMs, answers, cpu };
  }

  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  await part(3, LOGINS_PER_SECOND);
  const results: { calm: Part; storm: Part }[] = [];
  for (let run = 0; run < runsOf(RUNS); run += 1) {
    await quiet();
    const calm = await part(QUIET_SECONDS, 0);
    const storm = await part(STORM_SECONDS, LOGINS_PER_SECOND);
    results.push({ calm, storm });
    log(`p99 ${calm.p99} → ${storm.p99} ms, lag p99 ${calm.lagMs.toFixed(1)} → ${storm.lagMs.toFixed(1)} ms`);
  }
  for (const each of [readers, load, loginLoad, server, redis]) await each.stop();
  return rowsOf(results);
};

/** The event-loop lag since the last call. The value in /metrics includes the period of its timer. */
async function lag(metricsPort: number): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text();
  return Number(/^nodejs_eventloop_lag_p99_seconds (\S+)/m.exec(text)?.[1]) * 1_000 - LAG_PERIOD_MS;
}

function rowsOf(results: { calm: Part; storm: Part }[]): Row[] {
  const storms = results.map(({ storm }) => storm);
  const median = (of: (part: Part) => number) => summary(storms.map(of)).median;
  const common = { figure: 'logins', subject: 'parley' };
  const msOf = (micros: number[], share: number) => quantile(micros, share) / 1_000;
  type Kind = (answer: Answer) => boolean;
  const isSuccess: Kind = ({ status }) => status === 200;
  const isRejected: Kind = ({ status, micros }) =>
    (status === 429 || status === 503) && micros < IMMEDIATE_US;
  const isLate: Kind = (answer) => !isSuccess(answer) && !isRejected(answer);
  const row = (name: string, is: Kind): Row => {
    const micros = storms.flatMap(({ answers }) => answers.filter(is).map((answer) => answer.micros));
    return {
      ...{ ...common, case: name, unit: '/s' },
      value: summary(storms.map(({ answers }) => answers.filter(is).length / STORM_SECONDS)),
      ...(micros.length > 0 && { latencyMs: { p50: msOf(micros, 0.5), p99: msOf(micros, 0.99) } }),
    };
  };
  const offered = `${LOGINS_PER_SECOND} logins/s offered`;
  const crowd = `${STREAMS.toLocaleString('en')} streams, ${BROADCASTS_PER_SECOND} broadcasts/s`;
  return [
    {
      ...{ ...common, case: `deliveries' p99, ${offered}; ${crowd}` },
      ...{ value: summary(storms.map(({ p99 }) => p99)), unit: 'ms', goal: '≤ 2' },
      ratio: { ...summary(results.map(({ calm, storm }) => storm.p99 / calm.p99)), to: 'quiet' },
      latencyMs: { p50: median(({ p50 }) => p50), p99: median(({ p99 }) => p99) },
      cpu: Object.fromEntries(
        Object.keys(storms[0]!.cpu).map((name) => [name, median(({ cpu }) => cpu[name]!)]),
      ),
    },
    {
      ...{ ...common, case: `event-loop lag p99, ${offered}` },
      ...{ value: summary(storms.map(({ lagMs }) => lagMs)), unit: 'ms', goal: '≤ 30 ms' },
      ratio: { ...summary(results.map(({ calm, storm }) => storm.lagMs / calm.lagMs)), to: 'quiet' },
      note: `the value in /metrics minus the ${LAG_PERIOD_MS} ms period of its timer`,
    },
    row(`successful logins, bcrypt cost ${COST}`, isSuccess),
    row('logins rejected immediately', isRejected),
    { ...row('logins admitted but timed out (503 after 4.5 s)', isLate), goal: '0' },
  ];
}
