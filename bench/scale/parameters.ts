/**
 * Every number that the model of docs/explanation/scale.md uses, in one place. Change one here, then run
 * `npm run simulate -- --docs`. A cost is CPU time of one core, in microseconds.
 */

/**
 * - measured: in docs/reference/performance.json; `from` names the figures. One value stands for several measurements.
 * - measured once: on the code of this repository, on a busy machine, and not part of the bench.
 * - prototype: measured once, with code that is not in this repository.
 * - assumed: nobody measured it. Replace it by what you know about your users and machines.
 * - planned: what a change that is not released yet is expected to reach.
 */
export type Source = 'measured' | 'measured once' | 'prototype' | 'assumed' | 'planned';
export type Parameter = { value: number; unit: string; source: Source; from: string };

const parameter =
  (source: Source) =>
  (value: number, unit: string, from: string): Parameter => ({ value, unit, source, from });
const measured = parameter('measured');
const once = parameter('measured once');
const prototype = parameter('prototype');
const assumed = parameter('assumed');
const planned = parameter('planned');

/** What people do, at the busiest hour of the day unless it says "a day". */
const ACTIVITY = {
  onlineShare: assumed(0.1, 'of the accounts', 'accounts that are online'),
  streamsPerOnlineAccount: assumed(1, 'streams', 'devices or tabs of an account that is online'),
  dmsPerAccountAndDay: assumed(20, 'a day', 'direct messages that an account sends'),
  connectsPerAccountAndDay: assumed(2, 'a day', 'streams that an account opens after having been offline'),
  loginsPerAccountAndDay: assumed(0.05, 'a day', 'password checks; all else uses refresh tokens'),
  refreshesPerStreamAndHour: assumed(1, 'an hour', 'ACCESS_TTL_SECONDS is an hour'),
  broadcastsPerSecond: assumed(0.1, '/s', 'messages to everybody, whatever the number of accounts'),
  peakFactor: assumed(3, '× the mean', 'the busiest hour'),
  recipientOnlineShare: assumed(0.5, 'of the messages', 'direct messages whose recipient is online'),
};

const NODE_COSTS = {
  nodeDmSendMicros: measured(39, 'µs', 'sends and workers: dm, 64 connections'),
  nodeDmDeliveryMicros: measured(22, 'µs', 'dm: the CPU time of the server, less that of the send'),
  nodeBroadcastSendMicros: measured(29, 'µs', 'sends and workers: broadcast, 64 connections'),
  nodeBroadcastWriteMicros: measured(
    11,
    'µs for each stream',
    'growth and spread: one message to 10,000 streams',
  ),
  nodeOpenMicros: measured(205, 'µs', 'storm: one stream that comes back, with ten missed broadcasts'),
  nodeRefreshMicros: assumed(100, 'µs', 'login or refresh without bcrypt'),
  nodeIdleStreamMicros: measured(0.97, 'µs/s for each stream', 'idle: 10,000 idle streams'),
  nodePresenceCountMicros: measured(4.6, 'µs/s for each stream', 'idle: the same while presence changes'),
  nodeHearChangeMicros: assumed(5, 'µs on each node', 'a presence change that another node reports'),
  bcryptMillis: measured(160, 'ms at cost 12', 'logins: password checks that one thread completes'),
  bcryptCost: assumed(12, '', 'BCRYPT_COST; one more doubles the time'),
};

const REDIS_COSTS = {
  redisDmMicros: measured(43, 'µs', 'sends, dm and workers: the share of Redis'),
  redisBroadcastMicros: measured(14, 'µs', 'sends and workers: the share of Redis'),
  redisPublishMicros: once(0.7, 'µs for each node', 'what one more subscriber of a channel costs'),
  redisRefreshMicros: once(120, 'µs', 'login or refresh: 128 commands, mostly the list of who is online'),
  redisOpenMicros: once(45, 'µs', 'a stream is opened and closed: 10 commands'),
  redisPresenceMicros: once(30, 'µs', 'an account comes or goes, besides publishing it'),
  redisPresencePublishMicros: once(0.7, 'µs for each node', 'the same, and 16 HLEN of each node'),
  redisHeartbeatMicros: once(84, 'µs', 'a heartbeat of a node, every 3 s'),
  redisHeartbeatNodeMicros: once(1.135, 'µs for each node', 'each heartbeat reads those of all nodes'),
  redisPollMicros: measured(2_300, 'µs/s for each node', 'idle: the log poller reads 200 inboxes a second'),
  redisEvictionMicros: once(3.56, 'µs for each account online', 'a node dies: eviction by the first node'),
  redisEvictionMoreMicros: once(
    3.5,
    'µs for each account online',
    'the same, by each other of 8 nodes under load',
  ),
  redisRoomSendMicros: prototype(59, 'µs', 'a message to a room of any size; this release has no rooms'),
  redisSpreadFactor: assumed(1.1, '×', 'commands come over many connections instead of one'),
};

const BYTES = {
  accountBytes: measured(248, 'bytes', 'growth: an account'),
  sessionBytes: measured(321, 'bytes', 'growth: a session'),
  sessionsPerAccount: assumed(1, 'sessions', 'devices that are logged in'),
  firstMessageBytes: measured(
    743,
    'bytes',
    'growth: half of what the first message of two accounts needs more',
  ),
  dmBytes: measured(865, 'bytes', 'growth: a direct message of 47 characters, in three logs'),
  broadcastBytes: measured(134, 'bytes', 'growth: a broadcast of 47 characters'),
  onlineBytes: once(94, 'bytes', 'an account in the list of who is online'),
  retentionDays: assumed(30, 'days', 'how long messages are kept; today limits count messages, not days'),
  nodeBaseMebibytes: measured(150, 'MiB', 'runtimes: the process on Node 24, less its streams'),
  streamKibibytes: measured(6.85, 'KiB', 'runtimes: a stream on Node 24; other lines need less'),
  kernelKibibytes: assumed(4, 'KiB', 'kernel memory of a quiet connection'),
  wireBytes: assumed(230, 'bytes', 'an event of 47 characters on the wire, without TLS'),
  heartbeatBytes: assumed(60, 'bytes', 'a heartbeat on the wire, every 25 s'),
  redisBroadcastBytes: once(190, 'bytes', 'what Redis sends for a broadcast, besides notifications'),
  redisNotificationBytes: once(270, 'bytes for each node', 'one notification of a broadcast'),
};

const MACHINES = {
  streamsPerNode: assumed(20_000, 'streams', 'how many clients you can afford to lose at once'),
  nodeBusyShare: assumed(0.5, 'of its event loop', 'a node has room for bursts'),
  redisBusyShare: assumed(0.7, 'of its core', 'Redis executes one command at a time'),
  redisGigabytes: assumed(48, 'GB', 'memory of a Redis server'),
  redisFullShare: assumed(0.6, 'of its memory', 'the rest is for copies during a save, and fragmentation'),
};

export const PARAMETERS = { ...ACTIVITY, ...NODE_COSTS, ...REDIS_COSTS, ...BYTES, ...MACHINES };

export type Name = keyof typeof PARAMETERS;
export type Values = Record<Name, number>;

/** What is different on a Redis Cluster, which this release does not support. */
export const CLUSTER: Partial<Record<Name, Parameter>> = {
  nodeDmSendMicros: prototype(60, 'µs', 'two scripts on two servers instead of one'),
  redisDmMicros: prototype(58, 'µs', '1.36 × the instructions of the single script, both accounts online'),
  redisRefreshMicros: planned(20, 'µs', 'the list of who is online comes from the memory of the node'),
  redisPresencePublishMicros: planned(
    0,
    'µs for each node',
    'above PRESENCE_FANOUT_LIMIT no change is published',
  ),
  nodeHearChangeMicros: planned(0, 'µs on each node', 'the same'),
  nodePresenceCountMicros: planned(0.5, 'µs/s for each stream', 'the count is sent when it moved by 1 %'),
  redisHeartbeatMicros: planned(60, 'µs', 'a heartbeat writes one field and reads two'),
  redisHeartbeatNodeMicros: planned(0, 'µs for each node', 'the same'),
  redisEvictionMoreMicros: planned(
    0,
    'µs for each account online',
    'only one node evicts a dead one, in small steps',
  ),
};

/** @param overrides values that replace the defaults */
export function valuesOf(overrides: Partial<Values> = {}, isCluster = false): Values {
  const all: Record<string, Parameter> = { ...PARAMETERS, ...(isCluster ? CLUSTER : {}) };
  const values = Object.fromEntries(Object.entries(all).map(([name, { value }]) => [name, value]));
  return { ...(values as Values), ...overrides };
}
