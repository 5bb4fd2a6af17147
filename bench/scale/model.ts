/** How much of everything a number of accounts needs: arithmetic on the parameters, nothing is measured here. Pure. */
import type { Values } from './parameters.ts';

const DAY_SECONDS = 86_400;
const HEARTBEAT_SECONDS = 3;
const STREAM_HEARTBEAT_SECONDS = 25;
const MICROS = 1e6;

/** Per second, at the peak. */
export type Rates = {
  streams: number;
  dms: number;
  broadcasts: number;
  connects: number;
  logins: number;
  refreshes: number;
  presenceChanges: number;
};

export const NOTHING: Rates = {
  ...{ streams: 0, dms: 0, broadcasts: 0, connects: 0, logins: 0, refreshes: 0, presenceChanges: 0 },
};

export function ratesOf(accounts: number, v: Values): Rates {
  const atPeak = (perDay: number): number => (accounts * perDay * v.peakFactor) / DAY_SECONDS;
  const streams = accounts * v.onlineShare * v.streamsPerOnlineAccount;
  const connects = atPeak(v.connectsPerAccountAndDay);
  return {
    streams,
    dms: atPeak(v.dmsPerAccountAndDay),
    broadcasts: v.broadcastsPerSecond,
    connects,
    logins: atPeak(v.loginsPerAccountAndDay),
    refreshes: (streams * v.refreshesPerStreamAndHour) / 3_600,
    presenceChanges: 2 * connects,
  };
}

/** Cores of event loops, all nodes together. */
export function eventLoopCores(rates: Rates, nodes: number, v: Values): number {
  const { streams, dms, broadcasts, connects, logins, refreshes, presenceChanges } = rates;
  const dm = v.nodeDmSendMicros + v.recipientOnlineShare * v.nodeDmDeliveryMicros;
  const counting = presenceChanges > 0 ? v.nodePresenceCountMicros : 0;
  const micros =
    dms * dm +
    broadcasts * (v.nodeBroadcastSendMicros + streams * v.nodeBroadcastWriteMicros) +
    connects * v.nodeOpenMicros +
    (logins + refreshes) * v.nodeRefreshMicros +
    streams * (v.nodeIdleStreamMicros + counting) +
    presenceChanges * nodes * v.nodeHearChangeMicros;
  return micros / MICROS;
}

/** Cores of threads for password checks, all nodes together. */
export const bcryptCores = ({ logins }: Rates, v: Values): number =>
  (logins * v.bcryptMillis * 2 ** (v.bcryptCost - 12)) / 1_000;

/** Cores of Redis, all masters together, by cause. */
export function redisCoresByCause(rates: Rates, nodes: number, v: Values): Record<string, number> {
  const { dms, broadcasts, connects, logins, refreshes, presenceChanges } = rates;
  const heartbeat = v.redisHeartbeatMicros + v.redisHeartbeatNodeMicros * nodes;
  const micros = {
    dms: dms * v.redisDmMicros,
    broadcasts: broadcasts * (v.redisBroadcastMicros + v.redisPublishMicros * nodes),
    'logins and refreshes': (logins + refreshes) * v.redisRefreshMicros,
    streams: connects * v.redisOpenMicros,
    presence: presenceChanges * (v.redisPresenceMicros + v.redisPresencePublishMicros * nodes),
    heartbeats: (nodes * heartbeat) / HEARTBEAT_SECONDS,
    polling: nodes * v.redisPollMicros,
  };
  return Object.fromEntries(
    Object.entries(micros).map(([cause, each]) => [cause, (each * v.redisSpreadFactor) / MICROS]),
  );
}

export const sum = (parts: Record<string, number>): number =>
  Object.values(parts).reduce((total, each) => total + each, 0);

export type Memory = { accounts: number; perDay: number; total: number };

/** Bytes of Redis without replicas: of what grows with the accounts, of the messages of a day, and of all kept days. */
export function redisBytes(accounts: number, v: Values): Memory {
  const each = v.accountBytes + v.sessionBytes * v.sessionsPerAccount + v.firstMessageBytes;
  const base = accounts * (each + v.onlineShare * v.onlineBytes);
  const broadcasts = v.broadcastsPerSecond * DAY_SECONDS * v.broadcastBytes;
  const perDay = accounts * v.dmsPerAccountAndDay * v.dmBytes + broadcasts;
  return { accounts: base, perDay, total: base + perDay * v.retentionDays };
}

/** Nodes for the streams and for the event loops. More nodes hear more, so the count is raised until it suffices. */
export function nodesFor(rates: Rates, v: Values): number {
  let nodes = Math.max(1, Math.ceil(rates.streams / v.streamsPerNode));
  for (let round = 0; round < 100; round += 1) {
    const needed = Math.ceil(eventLoopCores(rates, nodes, v) / v.nodeBusyShare);
    if (needed <= nodes) return nodes;
    nodes = needed;
  }
  return Number.POSITIVE_INFINITY;
}

export type Fleet = {
  accounts: number;
  rates: Rates;
  nodes: number;
  loopCores: number;
  bcryptCores: number;
  redisCores: number;
  redisByCause: Record<string, number>;
  memory: Memory;
  /** Redis masters that the CPU time and the memory need. One means that a single server is enough. */
  mastersByCpu: number;
  mastersByMemory: number;
  /** Bytes of all nodes, and of the kernel for their connections. */
  nodeBytes: number;
  /** Bits per second from all nodes to the clients. */
  clientBits: number;
};

export function simulate(accounts: number, v: Values): Fleet {
  const rates = ratesOf(accounts, v);
  const nodes = nodesFor(rates, v);
  const redisByCause = redisCoresByCause(rates, nodes, v);
  const memory = redisBytes(accounts, v);
  const eventsPerSecond = rates.broadcasts * rates.streams + rates.dms * v.recipientOnlineShare;
  const bytesPerSecond =
    eventsPerSecond * v.wireBytes + (rates.streams / STREAM_HEARTBEAT_SECONDS) * v.heartbeatBytes;
  const perStream = (v.streamKibibytes + v.kernelKibibytes) * 1_024;
  return {
    accounts,
    rates,
    nodes,
    loopCores: eventLoopCores(rates, nodes, v),
    bcryptCores: bcryptCores(rates, v),
    redisCores: sum(redisByCause),
    redisByCause,
    memory,
    mastersByCpu: Math.ceil(sum(redisByCause) / v.redisBusyShare),
    mastersByMemory: Math.ceil(memory.total / (v.redisGigabytes * 1e9 * v.redisFullShare)),
    nodeBytes: nodes * v.nodeBaseMebibytes * 2 ** 20 + rates.streams * perStream,
    clientBits: bytesPerSecond * 8,
  };
}

/** The most accounts, in whole thousands, of which `fits` holds; it must hold below and not above. At most a billion. */
export function mostAccounts(fits: (accounts: number) => boolean): number {
  let [low, high] = [0, 1_000_000];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (fits(middle * 1_000)) low = middle;
    else high = middle;
  }
  return low * 1_000;
}

/** How long Redis is busy in all when one of `nodes` dies, in seconds: each other node evicts it. */
export function evictionSeconds(accountsOnline: number, nodes: number, v: Values): number {
  const micros = v.redisEvictionMicros + v.redisEvictionMoreMicros * Math.max(0, nodes - 2);
  return (accountsOnline * micros) / MICROS;
}

/** The most events of a kind per second that one core of Redis can do and nothing else. */
export const ceiling = (micros: number, v: Values): number =>
  (v.redisBusyShare * MICROS) / (micros * v.redisSpreadFactor);
