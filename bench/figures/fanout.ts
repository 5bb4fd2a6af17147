/**
 * The highest delivery rate at which 99 % of the messages are delivered within 100 ms. Broadcasts are posted at a rising rate,
 * independent of the server's responses, and go to every stream. (nchan has no tokens and keeps messages in its own memory;
 * socket.io and better-sse store nothing.)
 */
import { accounts, seed } from '../accounts.ts';
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

const STREAMS = 1_000;
const SAMPLE_EVERY = 25;
/** With only one, a peer that writes each message separately would saturate the reader before itself. */
const READER_PROCESSES = 2;
const RUNS = 5;
/** No run starts later than this. */
const LAST_START_MS = 9 * 60_000;
const P99_MS = 100;
/** Parley starts at a much higher rate: climbing from the peers' first rate would take minutes. */
const FIRST_RATE = { parley: 800, others: 30 };
type Goals = Partial<Record<PeerName, string>>;
const GOALS: Goals = {
  parley: '≥ 1,000,000',
  nchan: '≥ 10',
  'socket.io streams': '≥ 20',
  'better-sse': '≥ 25',
};

export const fanout: Figure = (log) => fanoutAgainst(GOALS, log);

/** `goals`: Parley first, then the systems it is compared with. */
export async function fanoutAgainst(goals: Goals, log: Parameters<Figure>[0]): Promise<Row[]> {
  const redis = await startRedis();
  const { subjects, leftOut } = await startSubjects(redis, 'fanout', Object.keys(goals) as PeerName[]);
  const load = startWorker<LoadJobs>('load.ts');
  const sender = accounts(1, STREAMS)[0]!;
  const tokens = accounts(STREAMS).map(({ token }) => token);
  const setups: Setup[] = [];
  for (const subject of subjects) {
    await seed(redis, subject.prefix, STREAMS + 1);
    const readers = await openReaders(subject, tokens, {
      processes: READER_PROCESSES,
      sampleEvery: SAMPLE_EVERY,
    });
    setups.push({ subject, redis, load, readers });
  }
  const climbOf = ({ subject }: Setup): Climb => ({
    targets: [{ path: '/v1/broadcasts', token: sender.token }],
    ...{ streams: STREAMS, p99Ms: P99_MS, rateStep: 1.25, highestRate: 12_000 },
    firstRate: subject.name.startsWith('parley') ? FIRST_RATE.parley : FIRST_RATE.others,
  });
  const highest = createClimber(log);
  const results = setups.map((): Results => []);
  const startedAt = performance.now();
  for (let run = 0; run < runsOf(RUNS) && performance.now() - startedAt < LAST_START_MS; run += 1) {
    for (const i of orderOf(run, setups.length)) {
      const setup = setups[i]!;
      results[i]!.push(await highest(setup, climbOf(setup), results[i]![0]));
    }
  }
  for (const each of [load, ...setups.flatMap(({ readers, subject }) => [...readers, subject]), redis])
    await each.stop();
  const what = { figure: 'fanout', case: `${STREAMS} streams, p99 ≤ ${P99_MS} ms`, unit: 'deliveries/s' };
  const rows = setups.map(({ subject }, i): Row => {
    const goal = goals[subject.name as PeerName]!;
    const ratio = i > 0 && { ratio: ratioOf(results[0]!, results[i]!, subject.name) };
    return { ...rowOf(subject, results[i]!, what), ...ratio, goal };
  });
  return [...rows, ...leftOut];
}
