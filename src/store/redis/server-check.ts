/**
 * Proves at a start that this Redis can be used, by doing what Parley needs. HELLO and INFO, which a user may lack, only
 * explain a refusal better and warn of settings that lose messages.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import type { RedisAddress } from '../../redis-url.ts';
import { explain, placeOf } from './connect-errors.ts';
import type { StoreLog } from './connections.ts';
import { startKeys } from './keys.ts';
import { runScript } from './scripts.ts';

const RETRY_MS = 500;
/** How long the replicas have to report that they are connected. */
const COUNT_WITHIN_MS = 1_000;

export type ServerFacts = { version?: string; mode?: string; role?: string };

type CheckOptions = {
  address: RedisAddress;
  prefix: string;
  /** Becomes the realm of a database that has none. */
  newRealm: string;
  log: StoreLog;
  /** The data is known to be in memory only. */
  ephemeral: boolean;
  waitReplicas: number;
};

/**
 * `redis`: a connection of its own, not connected, without a database and without retries; it is closed afterwards.
 * Resolves with the realm. Throws an error of one sentence if the server cannot be used; logs warnings.
 */
export async function checkServer(redis: Redis, options: CheckOptions): Promise<string> {
  let lastError: Error | undefined;
  redis.on('error', (error: Error) => {
    lastError = error;
  });
  try {
    await redis.connect();
    return await prove(redis, options);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    throw explain(lastError ?? (error as Error), options.address); // ioredis throws nothing else
  } finally {
    redis.disconnect();
  }
}

class Refusal extends Error {}

async function prove(redis: Redis, options: CheckOptions): Promise<string> {
  const { address, prefix, newRealm, log, ephemeral, waitReplicas } = options;
  const info = await redis.info().catch(() => undefined);
  const refusal = judgeServer(await factsOf(redis, info), address);
  if (refusal) throw new Refusal(refusal);
  if (address.database > 0) await redis.select(address.database);
  const keys = startKeys(prefix);
  const realm = await whenLoaded(log, () =>
    runScript(redis, 'realm-open', [keys.realm], [newRealm, keys.channel, '']),
  );
  if (waitReplicas > 0) {
    const connected = await redis.wait(waitReplicas + 1, COUNT_WITHIN_MS);
    for (const warning of replicaWarnings(connected, waitReplicas)) log.warn(warning);
  }
  await redis.ssubscribe(keys.channel);
  if (info === undefined)
    log.warn(
      'Redis does not permit INFO: its memory limit, eviction policy and append-only file are unknown',
    );
  else for (const warning of warningsOf(info, ephemeral)) log.warn(warning);
  return realm;
}

/** HELLO is permitted where INFO is not, and the reverse. */
async function factsOf(redis: Redis, info: string | undefined): Promise<ServerFacts> {
  const field = fieldsOf(info ?? '');
  const hello = await redis.call('HELLO').catch(() => []);
  const flat = Array.isArray(hello) ? hello : Object.entries(hello as object).flat();
  const said = (name: string): string | undefined =>
    flat.includes(name) ? String(flat[flat.indexOf(name) + 1]) : undefined;
  const version = field('valkey_version') ?? field('redis_version') ?? said('version');
  const mode = field('redis_mode') ?? said('mode');
  const role = field('role') ?? said('role');
  return { ...(version && { version }), ...(mode && { mode }), ...(role && { role }) };
}

async function whenLoaded<T>(log: StoreLog, work: () => Promise<T>): Promise<T> {
  for (let isReported = false; ; isReported = true) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('LOADING'))) throw error;
      if (!isReported) log.info('Redis is loading its data; waiting until it has finished');
      await sleep(RETRY_MS);
    }
  }
}

/** One sentence if the server cannot be used. Unknown facts do not count against it. Pure. */
export function judgeServer({ version, mode, role }: ServerFacts, address: RedisAddress): string | undefined {
  const place = placeOf(address);
  if (mode === 'sentinel')
    return `${place} is a Sentinel: write redis+sentinel://${place.split('/')[0]}/primary-name in REDIS_URL, with the name of the primary`;
  if (mode === 'cluster')
    return `${place} is a node of a Redis Cluster, which Parley does not support: write the address of a server with cluster-enabled no in REDIS_URL`;
  if (role === 'slave' || role === 'replica')
    return `${place} is a replica, which rejects writes: write the address of its primary, or of its Sentinels, in REDIS_URL`;
  if (version !== undefined && Number.parseInt(version, 10) < 7)
    return `Redis ${version} is too old: Parley needs 7.0 or newer`;
  return undefined;
}

const fieldsOf = (info: string) => (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];

/**
 * Too few replicas do not prevent a start: without sends, people can still read, and a replica may be restarting. Pure.
 */
export function replicaWarnings(connected: number, waitReplicas: number): string[] {
  if (connected > waitReplicas) return [];
  const count = `WAIT_REPLICAS is ${waitReplicas}, and Redis has ${connected} replica${connected === 1 ? '' : 's'}`;
  return connected < waitReplicas
    ? [`${count}: SENDS ARE REJECTED until there are more. Connect replicas, or lower WAIT_REPLICAS.`]
    : [`${count}: a failover, or the loss of one, STOPS ALL SENDS. Connect one more replica.`];
}

/** Settings that lose messages. `info`: the reply to INFO. Pure. */
export function warningsOf(info: string, ephemeral: boolean): string[] {
  const field = fieldsOf(info);
  const warnings: string[] = [];
  const policy = field('maxmemory_policy');
  if (policy !== undefined && policy !== 'noeviction') {
    warnings.push(
      `Redis drops keys when memory is full (${policy}): MESSAGES WILL VANISH. Set maxmemory-policy noeviction.`,
    );
  }
  if (field('aof_enabled') === '0' && !ephemeral) {
    warnings.push('Redis has no append-only file: a restart of Redis LOSES MESSAGES. Set appendonly yes.');
  }
  return warnings;
}
