/**
 * The resident memory of Parley per idle stream on each line of Node, or on those of `NODE_LINES="24 26"`. As in `memory`,
 * but V8 gets longer to collect garbage: it starts 8 s after a load on Node 20 to 24, and 30 s after it on Node 26.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { NODE_LINES, programOf } from '../../test/runtimes/node-lines.ts';
import { accounts, seed } from '../accounts.ts';
import type { ReaderJobs } from '../readers.ts';
import type { Row } from '../report.ts';
import { runsOf } from '../runs.ts';
import { type Server, startParley, startRedis } from '../servers.ts';
import { rssBytes, startWorker, type Worker } from '../stage.ts';
import { summary } from '../stats.ts';
import type { Figure } from './index.ts';

const STREAMS = 10_000;
const WARM_UP_STREAMS = 500;
const RUNS = 3;
const WARM_UP_SETTLE_MS = 10_000;
const SETTLE_MS = 40_000;
const KIB = 1_024;
const lines = process.env['NODE_LINES']?.split(' ') ?? NODE_LINES;

type Measured = { before: number; after: number };

export const runtimes: Figure = async (log) => {
  const runs = new Map<string, Measured[]>(lines.map((line) => [line, []]));
  for (let run = 0; run < runsOf(RUNS); run += 1) {
    for (const [line, measured] of await once()) {
      runs.get(line)!.push(measured);
      log(
        `Node ${line}: ${Math.round(measured.before / KIB)} KiB before, ${Math.round(measured.after / KIB)} after`,
      );
    }
  }
  return [...runs].map(([line, measured]) => rowOf(line, measured));
};

/** One server for each line, side by side, because they are idle; each has its own accounts and readers. */
async function once(): Promise<Map<string, Measured>> {
  const redis = await startRedis();
  const tokens = accounts(STREAMS).map(({ token }) => token);
  const setups: Array<{ line: string; server: Server; readers: Worker<ReaderJobs> }> = [];
  for (const line of lines) {
    const prefix = `node${line}:`;
    await seed(redis, prefix, STREAMS);
    const server = await startParley(redis, { KEY_PREFIX: prefix }, undefined, programOf(line));
    setups.push({ line, server, readers: startWorker<ReaderJobs>('readers.ts') });
  }
  const openAll = async (some: string[]) => {
    for (const { server, readers } of setups) {
      const entry = { port: server.port, path: '/v1/events', protocol: 'sse' } as const;
      await readers.ask('open', { ...entry, tokens: some, sampleEvery: Number.POSITIVE_INFINITY });
    }
  };
  await openAll(tokens.slice(0, WARM_UP_STREAMS));
  for (const { readers } of setups) await readers.ask('close', undefined);
  await sleep(WARM_UP_SETTLE_MS);
  const before = setups.map(({ server }) => rssBytes(server.pid));
  await openAll(tokens);
  await sleep(SETTLE_MS);
  const measured = setups.map(({ line, server }, i): [string, Measured] => [
    line,
    { before: before[i]!, after: rssBytes(server.pid) },
  ]);
  for (const { server, readers } of setups) {
    await readers.stop();
    await server.stop();
  }
  await redis.stop();
  return new Map(measured);
}

const rowOf = (line: string, measured: Measured[]): Row => ({
  figure: 'runtimes',
  case: `${STREAMS} idle streams`,
  subject: `parley, Node ${line}`,
  value: summary(measured.map(({ before, after }) => (after - before) / STREAMS / KIB)),
  unit: 'KiB RSS per stream',
  rssBytes: summary(measured.map(({ after }) => after)).median,
  goal: '≤ 7',
});
