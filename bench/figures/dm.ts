/**
 * Direct messages end to end, from the POST to the reader's stream: the highest rate at which 99 of 100 are read within
 * 50 ms. One process each. socket.io keeps nothing of what it passes on; Parley has stored it in the conversation and
 * in both inboxes before it answers.
 */
import { accounts, seed, usernameOf } from '../accounts.ts';
import { type Climb, createClimber, type Found, openReaders, ratioOf, rowOf, type Stand } from '../climb.ts';
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
/** No run begins later than this. */
const BEGIN_WITHIN_MS = 6 * 60_000;
const P99_MS = 50;
const SUBJECTS: PeerName[] = ['parley', 'socket.io pub/sub'];
const GOAL = '≥ 1.5, aim 2';

export const dm: Figure = async (say) => {
  const redis = await startRedis();
  const { subjects, leftOut } = await startSubjects(redis, 'dm', SUBJECTS);
  const load = startWorker<LoadJobs>('load.ts');
  const senders = accounts(SENDERS, READERS);
  const tokens = accounts(READERS).map(({ token }) => token);
  const stands: Stand[] = [];
  for (const subject of subjects) {
    await seed(redis, subject.prefix, READERS + SENDERS);
    const readers = await openReaders(subject, tokens, { processes: READER_PROCESSES, sampleEvery: 1 });
    stands.push({ subject, redis, load, readers });
  }
  const climb: Climb = {
    targets: tokens.map((_, i) => ({ path: `/v1/dm/${usernameOf(i)}`, token: senders[i % SENDERS]!.token })),
    ...{ streams: 1, p99Ms: P99_MS, firstRate: 1_500, rateStep: 1.12, highestRate: 50_000 },
  };
  const highest = createClimber(say);
  const found = stands.map((): Found => []);
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < BEGIN_WITHIN_MS; run += 1) {
    for (const i of orderOf(run, stands.length)) {
      found[i]!.push(await highest(stands[i]!, climb, found[i]![0]));
    }
  }
  for (const each of [load, ...stands.flatMap(({ readers, subject }) => [...readers, subject]), redis])
    await each.stop();
  const what = { figure: 'dm', case: `${READERS} readers, p99 ≤ ${P99_MS} ms`, unit: 'dms/s' };
  const rows = stands.map(({ subject }, i): Row => {
    const ratio = i > 0 && { ratio: ratioOf(found[0]!, found[i]!, subject.name), goal: GOAL };
    return { ...rowOf(subject, found[i]!, what), ...ratio };
  });
  return [...rows, ...leftOut];
};
