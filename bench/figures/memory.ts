/**
 * What an idle stream costs the server in resident memory. Before: the server has served some streams and is idle
 * again. After: all are open, nothing happens but heartbeats, for long enough that V8 has cleaned up as it does by itself.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { accounts, seed } from '../accounts.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { startParley, startRedis } from '../servers.ts';
import { rssBytes, startWorker } from '../stage.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const WARM_UP_STREAMS = 500;
const RUNS = 3;
const SETTLE_MS = 30_000;
const KIB = 1_024;

export const memory: Figure = async (say) => {
  const runs = [];
  for (let run = 0; run < RUNS; run += 1) {
    const { before, after } = await once();
    say(`${Math.round(before / KIB)} KiB without, ${Math.round(after / KIB)} KiB with ${STREAMS} streams`);
    runs.push({ before, after });
  }
  const perStream = runs.map(({ before, after }) => (after - before) / STREAMS / KIB);
  const row: Row = {
    figure: 'memory',
    case: `${STREAMS} idle streams`,
    subject: 'parley',
    value: summary(perStream),
    unit: 'KiB RSS per stream',
    goal: '≤ 12',
    rssBytes: summary(runs.map(({ after }) => after)).median,
  };
  return [row];
};

async function once(): Promise<{ before: number; after: number }> {
  const redis = await startRedis();
  const server = await startParley(redis);
  await seed(redis, server.prefix, STREAMS);
  const readers = startWorker<ReaderJobs>('readers.ts');
  const tokens = accounts(STREAMS).map(({ token }) => token);
  const open = (some: string[]) =>
    readers.ask('open', {
      ...{ port: server.port, path: '/v1/events' },
      ...{ tokens: some, sampleEvery: Number.POSITIVE_INFINITY },
    });
  await open(tokens.slice(0, WARM_UP_STREAMS));
  await readers.ask('close', undefined);
  await sleep(SETTLE_MS / 2);
  const before = rssBytes(server.pid);
  await open(tokens);
  await sleep(SETTLE_MS);
  const after = rssBytes(server.pid);
  for (const each of [readers, server, redis]) await each.stop();
  return { before, after };
}
