/** What the model says about situations that were measured, beside the measurements. */
import type { Performance } from '../document.ts';
import type { Row } from '../report.ts';
import { countedPoints, MEASURED_ONCE, type Point } from './counted-points.ts';
import { bcryptCores, eventLoopCores, NOTHING, redisBytes, redisCoresByCause, sum } from './model.ts';
import type { Values } from './parameters.ts';

/** @throws Error if the figure or the case does not exist */
function rowOf(performance: Performance, figure: string, name: string, subject = 'parley'): Row {
  const row = performance[figure]?.rows.find(
    (each) => each.case === name && each.subject.startsWith(subject),
  );
  if (!row) throw new Error(`performance.json has no ${figure}, ${name}, ${subject}`);
  return row;
}

/** CPU time of Redis for each event, in microseconds. */
const redisMicros = ({ cpu, value }: Row): number => (cpu!['redis']! / value.median) * 1e6;

function sends(performance: Performance, v: Values): Point[] {
  const one = { ...NOTHING, ...{ broadcasts: 1 } };
  const model = {
    broadcast: [v.nodeBroadcastSendMicros, sum(redisCoresByCause(one, 0, v)) * 1e6],
    dm: [v.nodeDmSendMicros, sum(redisCoresByCause({ ...NOTHING, dms: 1 }, 0, v)) * 1e6],
  };
  const measured = [
    ['sends', 'parley'],
    ['workers', '1 worker'],
    ['workers', '2 workers'],
  ].flatMap(([figure, subject]) =>
    (['broadcast', 'dm'] as const).map((kind) => {
      const row = rowOf(performance, figure!, `${kind}, 64 connections`, subject);
      return {
        kind,
        row,
        name: `${kind}, 64 connections${figure === 'workers' ? `, ${subject}` : ''}`,
        figure: figure!,
      };
    }),
  );
  return measured.flatMap(({ kind, row, name, figure }) => [
    { figure, what: `${name}: node`, unit: 'µs', measured: row.serverMicros!, model: model[kind][0]! },
    { figure, what: `${name}: Redis`, unit: 'µs', measured: redisMicros(row), model: model[kind][1]! },
  ]);
}

function endToEnd(performance: Performance, v: Values): Point[] {
  const { cpu, value, unit } = rowOf(performance, 'dm', '1000 readers, p99 ≤ 50 ms');
  const rates = { ...NOTHING, dms: value.median };
  const what = `${Math.round(value.median).toLocaleString('en')} ${unit} to 1,000 readers`;
  const toOnline = { ...v, recipientOnlineShare: 1 };
  const redis = sum(redisCoresByCause(rates, 0, v));
  return [
    {
      figure: 'dm',
      what: `${what}: node`,
      unit: 'cores',
      measured: cpu!['server']!,
      model: eventLoopCores(rates, 1, toOnline),
    },
    { figure: 'dm', what: `${what}: Redis`, unit: 'cores', measured: cpu!['redis']!, model: redis },
  ];
}

const CROWD = { ...NOTHING, streams: 10_000 };
const COMEBACK = { ...NOTHING, connects: 10_000 };

function idleStreams(performance: Performance, v: Values): Point[] {
  const idle = rowOf(performance, 'idle', '10,000 idle streams');
  const changing = rowOf(performance, 'idle', '10,000 idle streams, each second one comes and one goes');
  const changes = { ...CROWD, connects: 1, presenceChanges: 2 };
  const point = (row: Row, process: 'node' | 'Redis', model: number): Point => ({
    ...{ figure: 'idle', what: `${row.case}: ${process}`, unit: 'cores', model },
    measured: row.cpu![process === 'node' ? 'server' : 'redis']!,
  });
  return [
    point(idle, 'node', eventLoopCores(CROWD, 1, v)),
    point(idle, 'Redis', v.redisPollMicros / 1e6),
    point(changing, 'node', eventLoopCores(changes, 1, v)),
  ];
}

function reconnects(performance: Performance, v: Values): Point[] {
  const quiet = rowOf(performance, 'storm', '10,000 streams come back, 10 broadcasts missed');
  const busy = rowOf(performance, 'storm', `${quiet.case}, 50 dms/s sent meanwhile`);
  const sending = { ...COMEBACK, dms: 50 * busy.value.median };
  const point = (row: Row, model: number): Point => ({
    ...{ figure: 'storm', what: `${row.case}: node`, unit: 'core seconds', model },
    measured: row.cpu!['server']! * row.value.median,
  });
  return [point(quiet, eventLoopCores(COMEBACK, 1, v)), point(busy, eventLoopCores(sending, 1, v))];
}

function fanOut(performance: Performance, v: Values): Point[] {
  const seconds = eventLoopCores({ ...CROWD, broadcasts: 1 }, 1, { ...v, nodeIdleStreamMicros: 0 });
  const what = 'a broadcast to 10,000 streams: node';
  return [
    rowOf(performance, 'growth', 'broadcast, 1,000 accounts'),
    rowOf(performance, 'spread', 'one message, 10000 streams'),
  ].map(({ figure, value }) => ({ figure, what, unit: 'ms', measured: value.median, model: seconds * 1e3 }));
}

function passwords(performance: Performance, v: Values): Point[] {
  const { value } = rowOf(performance, 'logins', 'logins let in and answered, bcrypt cost 12');
  const model = 1 / bcryptCores({ ...NOTHING, logins: 1 }, { ...v, bcryptCost: 12 });
  return [
    {
      figure: 'logins',
      what: 'password checks of one thread, cost 12',
      unit: '/s',
      measured: value.median,
      model,
    },
  ];
}

function memory(performance: Performance, v: Values): Point[] {
  const bytes = (what: string) => rowOf(performance, 'growth', `Redis memory of ${what}`).value.median;
  const row = rowOf(performance, 'runtimes', '10000 idle streams', 'parley, Node 24');
  const mebibytes = v.nodeBaseMebibytes + (10_000 * v.streamKibibytes) / 1_024;
  const talking = {
    ...v,
    onlineShare: 0,
    sessionsPerAccount: 0,
    broadcastsPerSecond: 0,
    dmsPerAccountAndDay: 20,
    retentionDays: 1,
  };
  const point = (what: string, model: number): Point => ({
    figure: 'growth',
    what: `Redis memory of ${what}`,
    unit: 'bytes',
    measured: bytes(what),
    model,
  });
  return [
    point('an account', v.accountBytes),
    point('a session', v.sessionBytes),
    point('a direct message', v.dmBytes),
    point('the first message of two accounts', v.dmBytes + 2 * v.firstMessageBytes),
    point('a broadcast', v.broadcastBytes),
    {
      figure: 'runtimes',
      what: '10,000 idle streams on Node 24: the process',
      unit: 'MiB',
      measured: row.rssBytes! / 2 ** 20,
      model: mebibytes,
    },
    {
      figure: MEASURED_ONCE,
      what: 'Redis memory of an account with ten conversations of four messages',
      unit: 'bytes',
      measured: 17_500,
      model: redisBytes(1, talking).total,
    },
  ];
}

/** @param v the values for one Redis server */
export function pointsOf(performance: Performance, values: Values): Point[] {
  const v = { ...values, redisSpreadFactor: 1 }; // the bench uses few connections
  return [
    ...sends(performance, v),
    ...endToEnd(performance, v),
    ...idleStreams(performance, v),
    ...reconnects(performance, v),
    ...fanOut(performance, v),
    ...passwords(performance, v),
    ...memory(performance, v),
    ...countedPoints(v),
  ];
}
