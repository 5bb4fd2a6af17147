/**
 * Whether a send costs more when there are more accounts: Redis commands per message, counted by Redis itself, also
 * those that scripts call; and latency over one connection. Two Redis with a server each, measured in turns.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { LoadJobs, Target } from '../load.ts';
import type { Row } from '../report.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { startWorker, type Worker } from '../stage.ts';
import { type Counts, percentile, summary } from '../stats.ts';
import type { Figure } from './index.ts';

const SIZES = [10, 100_000];
const RUNS = 5;
const MESSAGES = 1_000;
const WITHIN_SECONDS = 20;
const IDLE_MS = 3_000;

type World = { size: number; redis: RedisServer; server: Server };
type Run = { commands: number; p50: number; latencies: Counts };

export const growth: Figure = async (say) => {
  const worlds: World[] = [];
  for (const size of SIZES) {
    const redis = await startRedis();
    const server = await startParley(redis);
    await seed(redis, server.prefix, size);
    worlds.push({ size, redis, server });
  }
  const load = startWorker<LoadJobs>('load.ts');
  const rows: Row[] = [];
  for (const kind of ['broadcast', 'dm'] as const) {
    for (const world of worlds) await once(load, world, kind);
    const runs = worlds.map((): Run[] => []);
    for (let run = 0; run < RUNS; run += 1) {
      const order = run % 2 ? [1, 0] : [0, 1];
      for (const i of order) runs[i]!.push(await once(load, worlds[i]!, kind));
    }
    const [few, many] = runs as [Run[], Run[]]; // one list per size
    for (const [i, { size }] of worlds.entries()) {
      const latencies = runs[i]!.map((run) => run.latencies);
      const row: Row = {
        figure: 'growth',
        case: `${kind}, ${size.toLocaleString('en')} accounts`,
        subject: 'parley',
        value: summary(runs[i]!.map(({ commands }) => commands)),
        unit: 'Redis commands',
        latencyMs: { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99) },
      };
      if (i === 1) {
        const ratio = summary(many.map(({ commands }, run) => commands / few[run]!.commands));
        Object.assign(row, { ratio: { ...ratio, to: `${SIZES[0]} accounts` }, goal: '1.00' });
      }
      rows.push(row);
      say(`${row.case}: ${row.value.median.toFixed(2)} commands, p50 ${row.latencyMs?.p50} ms`);
    }
  }
  for (const each of [load, ...worlds.flatMap(({ server, redis }) => [server, redis])]) await each.stop();
  return rows;
};

/** Commands per message: what Redis counted, minus what an idle node sends in the same time, minus our own INFO. */
async function once(load: Worker<LoadJobs>, { size, redis, server }: World, kind: 'broadcast' | 'dm') {
  const [{ token } = { token: '' }] = accounts(1);
  const path = kind === 'dm' ? `/v1/dm/${usernameOf(size - 1)}` : '/v1/broadcasts';
  const target: Target = { path, token, text: 'a message of about the length that people write' };
  const idle = await counted(redis, () => sleep(IDLE_MS));
  const busy = await counted(redis, () =>
    load.ask('drive', { port: server.port, targets: [target], seconds: WITHIN_SECONDS, count: MESSAGES }),
  );
  const own = idle.calls * (busy.ms / idle.ms);
  const { latencies } = busy.result;
  return { commands: (busy.calls - own) / MESSAGES, p50: percentile([latencies], 0.5), latencies };
}

async function counted<T>(redis: RedisServer, work: () => Promise<T>) {
  const before = await calls(redis);
  const startedAt = performance.now();
  const result = await work();
  const ms = performance.now() - startedAt;
  // The INFO before was counted after it had answered.
  return { result, ms, calls: (await calls(redis)) - before - 1 };
}

async function calls(redis: RedisServer): Promise<number> {
  const info = await redis.client.info('commandstats');
  return [...info.matchAll(/calls=(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0);
}
