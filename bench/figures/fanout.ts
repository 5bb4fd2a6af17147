/**
 * The highest rate of deliveries at which 99 of 100 messages are read within 100 ms. Broadcasts are posted at a rising
 * rate, whatever the server answers, and go to every stream. (nchan knows no tokens and keeps what is sent in its own
 * memory; socket.io and better-sse keep nothing.)
 */
import { accounts, seed } from '../accounts.ts';
import { type Climb, createClimber, type Found, openReaders, ratioOf, rowOf, type Stand } from '../climb.ts';
import type { LoadJobs } from '../load.ts';
import { type PeerName, startSubjects } from '../peers.ts';
import type { Row } from '../report.ts';
import { orderOf, runsOf } from '../runs.ts';
import { startRedis } from '../servers.ts';
import { startWorker } from '../stage.ts';
import type { Figure } from './index.ts';

const STREAMS = 1_000;
const SAMPLE_EVERY = 25;
/** With one, a peer that writes each message by itself would find its reader busy before itself. */
const READER_PROCESSES = 2;
const RUNS = 5;
/** No run begins later than this. */
const BEGIN_WITHIN_MS = 9 * 60_000;
const P99_MS = 100;
/** Parley's first rate is of another order: the way up from the others' would take minutes. */
const FIRST_RATE = { parley: 800, others: 30 };
type Goals = Partial<Record<PeerName, string>>;
const GOALS: Goals = {
  parley: '≥ 1,000,000',
  nchan: '≥ 10',
  'socket.io streams': '≥ 20',
  'better-sse': '≥ 25',
};

export const fanout: Figure = (say) => fanoutAgainst(GOALS, say);

/** `goals`: Parley first, then whom it is compared with. */
export async function fanoutAgainst(goals: Goals, say: Parameters<Figure>[0]): Promise<Row[]> {
  const redis = await startRedis();
  const { subjects, leftOut } = await startSubjects(redis, 'fanout', Object.keys(goals) as PeerName[]);
  const load = startWorker<LoadJobs>('load.ts');
  const sender = accounts(1, STREAMS)[0]!;
  const tokens = accounts(STREAMS).map(({ token }) => token);
  const stands: Stand[] = [];
  for (const subject of subjects) {
    await seed(redis, subject.prefix, STREAMS + 1);
    const readers = await openReaders(subject, tokens, {
      processes: READER_PROCESSES,
      sampleEvery: SAMPLE_EVERY,
    });
    stands.push({ subject, redis, load, readers });
  }
  const climbOf = ({ subject }: Stand): Climb => ({
    targets: [{ path: '/v1/broadcasts', token: sender.token }],
    ...{ streams: STREAMS, p99Ms: P99_MS, rateStep: 1.25, highestRate: 12_000 },
    firstRate: subject.name.startsWith('parley') ? FIRST_RATE.parley : FIRST_RATE.others,
  });
  const highest = createClimber(say);
  const found = stands.map((): Found => []);
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < BEGIN_WITHIN_MS; run += 1) {
    for (const i of orderOf(run, stands.length)) {
      const stand = stands[i]!;
      found[i]!.push(await highest(stand, climbOf(stand), found[i]![0]));
    }
  }
  for (const each of [load, ...stands.flatMap(({ readers, subject }) => [...readers, subject]), redis])
    await each.stop();
  const what = { figure: 'fanout', case: `${STREAMS} streams, p99 ≤ ${P99_MS} ms`, unit: 'deliveries/s' };
  const rows = stands.map(({ subject }, i): Row => {
    const goal = goals[subject.name as PeerName]!;
    const ratio = i > 0 && { ratio: ratioOf(found[0]!, found[i]!, subject.name) };
    return { ...rowOf(subject, found[i]!, what), ...ratio, goal };
  });
  return [...rows, ...leftOut];
}
