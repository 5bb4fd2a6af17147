/**
 * All streams of a node are cut at the same time, miss some broadcasts, and reconnect at the same time with their cursors.
 * Measures the time until the last stream has its `ready` and the missed messages, the cost for Redis, and the effect on
 * senders. Real clients reconnect after a random delay of 1 to 4 s; here they do not wait.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import type { Call, CallerJobs } from '../callers.ts';
import { commandCalls, sumOf } from '../crowd.ts';
import type { Row } from '../report.ts';
import type { Reconnection, ReturnerJobs } from '../returners.ts';
import { runsOf } from '../runs.ts';
import { startParley, startRedis } from '../servers.ts';
import { createQuiet, rssBytes, startWorker, watchCpu } from '../stage.ts';
import { stampedText } from '../stamp.ts';
import { quantile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const MISSED = 10;
const RUNS = 5;
const SENDS_PER_SECOND = 50;
/** Longer than any reconnect takes; sends outside of the storm count as quiet. */
const SENDING_SECONDS = 20;
/** Shorter than the grace period of presence (5 s), as after a network failure. */
const AWAY_MS = 1_500;
const SETTLE_MS = 8_000;
const MAX_IDLE_WAIT_MS = 60_000;

type Run = {
  back: Reconnection;
  seconds: number;
  commands: Map<string, number>;
  cpu: Record<string, number>;
  rssBytes: number;
  sends: { storm: number[]; quiet: number[] };
};

export const storm: Figure = async (log) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS + 2);
  const returners = startWorker<ReturnerJobs>('returners.ts');
  const sender = startWorker<CallerJobs>('callers.ts');
  const [from, to] = accounts(2, STREAMS) as [Sender, Sender];
  const { port } = server;
  const body = { text: stampedText(0) };
  const missed: Call[] = Array(MISSED).fill({
    method: 'POST',
    path: '/v1/broadcasts',
    token: from.token,
    body,
  });
  const dm: Call = { method: 'POST', path: `/v1/dm/${to.username}`, token: from.token, body };
  // Otherwise all cursors would be at the start of an empty log, which is not typical.
  await sender.ask('call', { port, calls: missed });
  await returners.ask('open', { port, tokens: accounts(STREAMS).map(({ token }) => token) });
  await sleep(SETTLE_MS);

  async function once(isSending: boolean): Promise<Run> {
    await returners.ask('drop', undefined);
    await sleep(AWAY_MS);
    await sender.ask('call', { port, calls: missed });
    const pace = { port, calls: [dm], perSecond: SENDS_PER_SECOND, seconds: SENDING_SECONDS };
    const sending = isSending ? sender.ask('pace', pace) : [];
    const before = await commandCalls(redis);
    const watched = watchCpu({ server: server.pid, redis: redis.pid, crowd: returners.pid });
    const back = await returners.ask('reconnect', { port, missed: MISSED });
    const cpu = watched();
    const after = await commandCalls(redis);
    const commands = new Map([...after].map(([name, calls]) => [name, calls - (before.get(name) ?? 0)]));
    const isStorm = ({ atUs }: { atUs: number }) => atUs >= back.fromUs && atUs <= back.toUs;
    const answers = await sending;
    const micros = (of: typeof answers) => of.map((answer) => answer.micros);
    const sends = {
      storm: micros(answers.filter(isStorm)),
      quiet: micros(answers.filter(({ atUs }) => atUs > back.toUs + 2e6)),
    };
    const seconds = (back.toUs - back.fromUs) / 1e6;
    const p99 = quantile(sends.storm, 0.99) / 1_000;
    log(
      `${seconds.toFixed(2)} s, ${back.resumed} resumed${isSending ? `, sends' p99 ${p99.toFixed(1)} ms` : ''}`,
    );
    await sleep(SETTLE_MS);
    return { back, seconds, commands, cpu, rssBytes: rssBytes(server.pid), sends };
  }

  const quiet = createQuiet(MAX_IDLE_WAIT_MS);
  await once(false);
  const results: { alone: Run; sending: Run }[] = [];
  for (let run = 0; run < runsOf(RUNS); run += 1) {
    await quiet();
    results.push({ alone: await once(false), sending: await once(true) });
  }
  for (const each of [returners, sender, server, redis]) await each.stop();
  const [alone, sending] = [results.map((run) => run.alone), results.map((run) => run.sending)];
  return [aloneRow(alone), sendingRow(sending)];
};

type Sender = { username: string; token: string };

function rowOf(name: string, results: Run[]): Row {
  const names = Object.keys(results[0]!.cpu);
  const share = (of: string) => summary(results.map(({ cpu }) => cpu[of]!)).median;
  return {
    figure: 'storm',
    case: `${STREAMS.toLocaleString('en')} streams come back, ${MISSED} broadcasts missed${name}`,
    subject: 'parley',
    value: summary(results.map(({ seconds }) => seconds)),
    unit: 's until all are back',
    cpu: Object.fromEntries(names.map((each) => [each, share(each)])),
    rssBytes: summary(results.map((run) => run.rssBytes)).median,
  };
}

function aloneRow(results: Run[]): Row {
  const each = (of: (commands: Run['commands']) => number) =>
    summary(results.map(({ commands }) => of(commands) / STREAMS)).median;
  const names = [...results[0]!.commands.keys()]
    .map((name) => ({ name, calls: each((commands) => commands.get(name) ?? 0) }))
    .filter(({ calls }) => calls >= 0.05)
    .sort((a, b) => b.calls - a.calls)
    .map(({ name, calls }) => `${name} ${calls.toFixed(1)}`);
  const resumed = results.map(({ back }) => back.resumed);
  return {
    ...rowOf('', results),
    redisCommands: each(sumOf),
    note: `${Math.min(...resumed).toLocaleString('en')} of ${STREAMS.toLocaleString('en')} resumed without a gap; Redis commands of one return: ${names.join(', ')}`,
  };
}

function sendingRow(results: Run[]): Row {
  const storm = results.flatMap(({ sends }) => sends.storm);
  const quiet = results.flatMap(({ sends }) => sends.quiet);
  const ms = (micros: number[], share: number) => quantile(micros, share) / 1_000;
  return {
    ...rowOf(`, ${SENDS_PER_SECOND} dms/s sent meanwhile`, results),
    latencyMs: { p50: ms(storm, 0.5), p99: ms(storm, 0.99) },
    note: `the latencies are those of the ${storm.length} sends; after the storm p50 ${ms(quiet, 0.5).toFixed(1)}, p99 ${ms(quiet, 0.99).toFixed(1)} ms`,
  };
}
