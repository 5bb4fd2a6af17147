/** A crowd of readers: the streams of one process, one account each. Also helpers shared by the figures that measure only Parley. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from './accounts.ts';
import type { ReaderJobs } from './readers.ts';
import type { RedisServer, Server } from './servers.ts';
import { startWorker, type Worker } from './stage.ts';

/** After this, all presence changes have been delivered and V8 has collected garbage. */
const SETTLE_MS = 10_000;

export async function startCrowd(
  server: Server,
  people: Account[],
  options: { sampleEvery?: number; query?: string } = {},
): Promise<Worker<ReaderJobs>> {
  const { sampleEvery = people.length, query = '' } = options;
  const readers = startWorker<ReaderJobs>('readers.ts');
  const tokens = people.map(({ token }) => token);
  await readers.ask('open', { port: server.port, path: `/v1/events${query}`, tokens, sampleEvery });
  await sleep(SETTLE_MS);
  return readers;
}

/** Number of calls of each Redis command so far, including calls by scripts. */
export async function commandCalls(redis: RedisServer): Promise<Map<string, number>> {
  const info = await redis.client.info('commandstats');
  const matches = [...info.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)];
  return new Map(matches.map(([, name, calls]) => [name!, Number(calls)]));
}

export const sumOf = (calls: Map<string, number>): number =>
  [...calls.values()].reduce((sum, count) => sum + count, 0);

export async function usedMemory(redis: RedisServer): Promise<number> {
  return Number(/^used_memory:(\d+)/m.exec(await redis.client.info('memory'))?.[1]);
}
