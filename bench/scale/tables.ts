/** The tables of docs/explanation/scale.md. Pure. */
import type { Performance } from '../document.ts';
import { ceiling, evictionSeconds, type Fleet, mostAccounts, simulate } from './model.ts';
import { CLUSTER, type Name, PARAMETERS, type Parameter, type Values, valuesOf } from './parameters.ts';
import { pointsOf } from './points.ts';

export const SIZES = [100_000, 1_000_000, 10_000_000, 100_000_000];
/** Longer than a request waits for Redis, so that requests fail. */
const MAX_STALL_SECONDS = 5;

/** A Markdown table with padded columns; all columns but the first are numbers, aligned to the right. */
export function table(header: string[], rows: string[][], textColumns = 1): string {
  const widths = header.map((title, index) =>
    Math.max(...[title, ...rows.map((row) => row[index]!)].map(({ length }) => length)),
  );
  const isText = (index: number): boolean => index < textColumns;
  const line = (cells: string[]): string =>
    `| ${cells.map((cell, index) => (isText(index) ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!))).join(' | ')} |`;
  const rule = widths.map((width, index) =>
    isText(index) ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`,
  );
  return [line(header), `|${rule.join('|')}|`, ...rows.map(line)].join('\n');
}

/** Two significant digits below 100, otherwise whole numbers; with thousands separators. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return 'none suffice';
  const rounded = Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(2));
  return rounded.toLocaleString('en', { maximumFractionDigits: 6 });
}

/** Three significant digits, in thousands, millions or billions. */
function count(value: number): string {
  const [unit, by] = value >= 1e9 ? [' billion', 1e9] : value >= 1e6 ? [' million', 1e6] : ['', 1];
  return `${Number((value / by).toPrecision(3)).toLocaleString('en', { maximumFractionDigits: 2 })}${unit}`;
}

const FLEET_COLUMNS: [title: string, cell: (fleet: Fleet) => string][] = [
  ['accounts', ({ accounts }) => count(accounts)],
  ['open streams', ({ rates }) => count(rates.streams)],
  ['nodes', ({ nodes }) => short(nodes)],
  ['cores of event loops', ({ loopCores }) => short(loopCores)],
  ['cores for bcrypt', ({ bcryptCores }) => short(bcryptCores)],
  ['GB of nodes', ({ nodeBytes }) => short(nodeBytes / 1e9)],
  ['Mbit/s to clients', ({ clientBits }) => short(clientBits / 1e6)],
  ['cores of Redis', ({ redisCores }) => short(redisCores)],
  ['GB of Redis: accounts', ({ memory }) => short(memory.accounts / 1e9)],
  ['and each day of messages', ({ memory }) => short(memory.perDay / 1e9)],
  ['masters by CPU', ({ mastersByCpu }) => short(mastersByCpu)],
  ['by memory', ({ mastersByMemory }) => short(mastersByMemory)],
];

export function fleetTable(values: Values, sizes = SIZES): string {
  const rows = sizes.map((accounts) => {
    const fleet = simulate(accounts, values);
    return FLEET_COLUMNS.map(([, cell]) => cell(fleet));
  });
  return table(
    FLEET_COLUMNS.map(([title]) => title),
    rows,
    0,
  );
}

/** What a million open streams need, as a share of what ten million need. */
export function purchaseTable(values: Values): string {
  const accountsPerMillion = 1e6 / (values.onlineShare * values.streamsPerOnlineAccount);
  const fleet = simulate(10 * accountsPerMillion, values);
  const { broadcastsPerSecond, nodeBroadcastWriteMicros, redisBusyShare, nodeBusyShare, redisFullShare } =
    values;
  const broadcasting = broadcastsPerSecond * nodeBroadcastWriteMicros; // cores for each million streams
  const rows: [string, number][] = [
    ['cores of event loops, busy, without broadcasts', fleet.loopCores / 10 - broadcasting],
    ['… and for each broadcast per second', nodeBroadcastWriteMicros],
    ['cores of event loops to buy', fleet.loopCores / 10 / nodeBusyShare],
    ['cores for password checks', fleet.bcryptCores / 10],
    ['GB of memory for nodes and their kernels', fleet.nodeBytes / 10 / 1e9],
    ['Mbit/s to clients', fleet.clientBits / 10 / 1e6],
    ['cores of Redis to buy, without replicas', fleet.redisCores / 10 / redisBusyShare],
    [
      'GB of Redis to buy for accounts and sessions, without replicas',
      fleet.memory.accounts / 10 / 1e9 / redisFullShare,
    ],
    [
      'GB of Redis to buy for each day of messages, without replicas',
      fleet.memory.perDay / 10 / 1e9 / redisFullShare,
    ],
  ];
  return table(
    ['for a million open streams', 'amount'],
    rows.map(([what, amount]) => [what, short(amount)]),
  );
}

/** What ends one Redis server first: the most accounts with each limit alone. */
export function limitsTable(values: Values): string {
  const { redisGigabytes: gigabytes, redisFullShare, redisBusyShare: busy } = values;
  const bytes = gigabytes * 1e9 * redisFullShare;
  const fits = (isWithin: (fleet: Fleet) => boolean, overrides: Partial<Values> = {}): string =>
    count(mostAccounts((accounts) => isWithin(simulate(accounts, { ...values, ...overrides }))));
  const hasRoom = ({ memory }: Fleet): boolean => memory.total <= bytes;
  const cause =
    (name: string) =>
    ({ redisByCause }: Fleet): boolean =>
      redisByCause[name]! <= busy;
  const rows: [string, string][] = [
    ...[365, 30, 3].map((days): [string, string] => [
      `${gigabytes} GB with the messages of ${days} days`,
      fits(hasRoom, { retentionDays: days }),
    ]),
    [
      `a dead node makes Redis busy for ${MAX_STALL_SECONDS} s`,
      fits(
        (fleet) =>
          evictionSeconds(fleet.accounts * values.onlineShare, fleet.nodes, values) <= MAX_STALL_SECONDS,
      ),
    ],
    ['CPU time, everything', fits(({ redisCores }) => redisCores <= busy)],
    ['CPU time, direct messages', fits(cause('dms'))],
    ['CPU time, presence', fits(cause('presence'))],
    ['CPU time, heartbeats', fits(cause('heartbeats'))],
    [`${gigabytes} GB of accounts and sessions`, fits(({ memory }) => memory.accounts <= bytes)],
  ];
  return table(['one Redis, limited by', 'accounts'], rows);
}

/** The events whose keys stay in one slot, and how many of them a second the master of that slot can do. */
export function hotSlotsTable(one: Values, cluster: Values): string {
  const NODES = [10, 100, 500];
  const rows: [string, (nodes: number) => number][] = [
    [
      '`{everyone}`: a message to everybody',
      (nodes) => one.redisBroadcastMicros + one.redisPublishMicros * nodes,
    ],
    [
      'feed of the rooms: a message to a room',
      (nodes) => one.redisRoomSendMicros + one.redisPublishMicros * nodes,
    ],
    [
      '`online:{0}` … `{15}`: a change of presence, published',
      (nodes) => one.redisPresenceMicros + one.redisPresencePublishMicros * nodes,
    ],
    ['… not published', () => cluster.redisPresenceMicros],
    ['`heartbeats`: a heartbeat', (nodes) => one.redisHeartbeatMicros + one.redisHeartbeatNodeMicros * nodes],
  ];
  const header = ['per second and master', ...NODES.map((nodes) => `${nodes} nodes`)];
  return table(
    header,
    rows.map(([what, micros]) => [what, ...NODES.map((nodes) => count(ceiling(micros(nodes), one)))]),
  );
}

export function pointsTable(performance: Performance, values: Values): string {
  const rows = pointsOf(performance, values).map(({ figure, what, unit, measured, model }) => [
    figure,
    `${what}, ${unit}`,
    short(measured),
    short(model),
    (model / measured).toFixed(2),
  ]);
  return table(['figure', 'what', 'measured', 'model', 'ratio'], rows, 2);
}

export function parametersTable(parameters: Partial<Record<Name, Parameter>>): string {
  const rows = Object.entries(parameters).map(([name, { value, unit, source, from }]) => [
    `\`${name}\``,
    `${value.toLocaleString('en', { maximumFractionDigits: 3 })}${unit ? ` ${unit}` : ''}`,
    source,
    from,
  ]);
  return table(['parameter', 'value', 'source', 'from'], rows, 4);
}

/** All tables by their names in the document. */
export function tablesOf(performance: Performance, overrides: Partial<Values> = {}): Record<string, string> {
  const [one, cluster] = [valuesOf(overrides), valuesOf(overrides, true)];
  return {
    limits: limitsTable(one),
    server: fleetTable(one),
    cluster: fleetTable(cluster),
    purchase: purchaseTable(cluster),
    slots: hotSlotsTable(one, cluster),
    points: pointsTable(performance, one),
    parameters: parametersTable(PARAMETERS),
    'cluster-parameters': parametersTable(CLUSTER),
  };
}
