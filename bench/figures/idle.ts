/** What streams cost to which nothing is said: the server's share of a core, heartbeats and all. */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import { commandCalls, runs, startCrowd, sumOf } from '../crowd.ts';
import type { Row } from '../report.ts';
import { startParley, startRedis } from '../servers.ts';
import { createQuiet, rssBytes, watchCpu } from '../stage.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const RUNS = 5;
/** More than a heartbeat's period: every stream gets at least one. */
const WINDOW_MS = 30_000;
const PATIENCE_MS = 60_000;

export const idle: Figure = async (say) => {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS);
  const readers = await startCrowd(server, accounts(STREAMS));
  const quiet = createQuiet(PATIENCE_MS);
  const found: { cpu: Record<string, number>; commands: number }[] = [];
  for (let run = 0; run < runs(RUNS); run += 1) {
    await quiet();
    const before = sumOf(await commandCalls(redis));
    const watched = watchCpu({ server: server.pid, redis: redis.pid, readers: readers.pid });
    await sleep(WINDOW_MS);
    const cpu = watched();
    const commands = (sumOf(await commandCalls(redis)) - before) / (WINDOW_MS / 1_000);
    say(
      `server ${(cpu.server * 100).toFixed(2)} %, redis ${(cpu.redis * 100).toFixed(2)} %, ${Math.round(commands)} commands/s`,
    );
    found.push({ cpu, commands });
  }
  const median = (of: (each: (typeof found)[number]) => number) => summary(found.map(of)).median;
  const row: Row = {
    figure: 'idle',
    case: `${STREAMS.toLocaleString('en')} idle streams`,
    subject: 'parley',
    value: summary(found.map(({ cpu }) => cpu['server']! * 100)),
    unit: '% of a core',
    goal: '≤ 1',
    cpu: Object.fromEntries(
      ['server', 'redis', 'readers', 'others'].map((name) => [name, median(({ cpu }) => cpu[name]!)]),
    ),
    rssBytes: rssBytes(server.pid),
    note: `Redis is asked ${Math.round(median(({ commands }) => commands))} commands/s meanwhile`,
  };
  for (const each of [readers, server, redis]) await each.stop();
  return [row];
};
