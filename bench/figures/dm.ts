/**
 * Direct messages end to end, from the POST to the reader's stream: the highest rate at which 99 % are delivered within 50 ms,
 * with one process per system. socket.io stores nothing; Parley stores each message in the conversation and in both inboxes
 * before it responds.
 */
import { accounts, seed, usernameOf } from '../accounts.ts';
import {
  type Climb,
  createClimber,
  openReaders,
  type Results,
  ratioOf,
  rowOf,
  type Setup,
} from '../climb.ts';
import type { LoadJobs } from '../load.ts';
import { type PeerName, startSubjects } from '../peers.ts';
import type { Row } from '../report.ts';
import { orderOf, runsOf } from '../runs.ts';
import { startRedis } from '../servers.ts';
import { startWorker } from '../stage.ts';
import type { Figure } from './index.ts';

const READERS = 1_000;
const SENDERS = 64;
const READER_PROCESSES = 1;
const RUNS = 5;
/** No run starts later than this. */
const LAST_START_MS = 6 * 60_000;
const P99_MS = 50;
const SUBJECTS: PeerName[] = ['parley', 'socket.io pub/sub'];
const GOAL = '≥ 1.5, aim 2';

export const dm: Figure = async (log) => {
  const redis = await startRedis();
  const { subjects, leftOut } = await startSubjects(redis, 'dm', SUBJECTS);
  const load = startWorker<LoadJobs>('load.ts');
  const senders = accounts(SENDERS, READERS);
  const tokens = accounts(READERS).map(({ token }) => token);
  const setups: Setup[] = [];
  for (const subject of subjects) {
    await seed(redis, subject.prefix, READERS + SENDERS);
    const readers = await openReaders(subject, tokens, { processes: READER_PROCESSES, sampleEvery: 1 });
    setups.push({ subject, redis, load, readers });
  }
  const climb: Climb = {
    targets: tokens.map((_, i) => ({ path: `/v1/dm/${usernameOf(i)}`, token: senders[i % SENDERS]!.token })),
    ...{ streams: 1, p99Ms: P99_MS, firstRate: 1_500, rateStep: 1.12, highestRate: 50_000 },
  };
  const highest = createClimber(log);
  const results = setups.map((): Results => []);
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < LAST_START_MS; run += 1) {
    for (const i of orderOf(run, setups.length)) {
      results[i]!.push(await highest(setups[i]!, climb, results[i]![0]));
    }
  }
  for (const each of [load, ...setups.flatMap(({ readers, subject }) => [...readers, subject]), redis])
    await each.stop();
  const what = { figure: 'dm', case: `${READERS} readers, p99 ≤ ${P99_MS} ms`, unit: 'dms/s' };
  const rows = setups.map(({ subject }, i): Row => {
    const ratio = i > 0 && { ratio: ratioOf(results[0]!, results[i]!, subject.name), goal: GOAL };
    return { ...rowOf(subject, results[i]!, what), ...ratio };
  });
  return [...rows, ...leftOut];
};
