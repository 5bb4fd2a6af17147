/** Everything that this node stores in Redis or receives from it, on the connections of one store. */
import { type Config, retentionOf } from './config.ts';
import type { Logger } from './logger.ts';
import { createAccountStore } from './store/accounts.ts';
import { createConversationStore } from './store/conversations.ts';
import { createLogStore } from './store/log/log-store.ts';
import { createMemoryWatermark } from './store/memory-watermark.ts';
import { openData } from './store/migration/open-data.ts';
import { createPresenceStore } from './store/presence.ts';
import { openStore } from './store/redis/client.ts';
import { createPubSub } from './store/redis/pubsub.ts';
import { createWriteCheck } from './store/redis/write-check.ts';
import { createSessionStore } from './store/sessions.ts';
import { createTicketStore } from './store/tickets.ts';
import { createRateLimitStore } from './store/token-buckets.ts';
import { createErrorReport } from './store/unexpected-errors.ts';

const DAY_MS = 86_400_000;

export type Stores = Awaited<ReturnType<typeof openStores>>;

type RedisOptions = {
  config: Config;
  redisUrl: string;
  isEphemeral: boolean;
  nodeId: string;
  newEpoch: () => string;
  log: Logger;
};

export async function openStores(
  options: RedisOptions & {
    onSessionEnded: (sid: string) => void;
    /** Redis holds another database than at the start. */
    onReplaced: () => void;
  },
) {
  const { config, nodeId, newEpoch, onSessionEnded, onReplaced, log } = options;
  const redis = await openRedis(options);
  const probe = redis.keys.channels.probe(nodeId);
  const reportError = createErrorReport(log);
  const writeCheck = createWriteCheck(redis, probe, onReplaced);
  return {
    redis,
    writeCheck,
    reportError,
    accounts: createAccountStore(redis),
    conversations: createConversationStore(redis, newEpoch),
    sessions: createSessionStore(redis, {
      accessTtlMs: config.ACCESS_TTL_SECONDS * 1_000,
      refreshTtlMs: config.REFRESH_TTL_DAYS * DAY_MS,
      onRevoked: onSessionEnded,
    }),
    tickets: createTicketStore(redis),
    presence: createPresenceStore(redis, nodeId),
    limits: createRateLimitStore(redis),
    logs: createLogStore(redis, {
      retention: retentionOf(config),
      sendLimit: config.SEND_LIMIT,
      newEpoch,
    }),
    pubsub: createPubSub(redis, { probe, writeCheck, reportError, log }),
    memory: createMemoryWatermark(redis, {
      markPercent: config.HIGH_WATER_PERCENT,
      maxMemory: config.REDIS_MAXMEMORY,
      log,
    }),
  };
}

/** Connect, and bring data of earlier releases into the present form. */
async function openRedis({ config, redisUrl, isEphemeral, nodeId, newEpoch, log }: RedisOptions) {
  const prefix = config.KEY_PREFIX;
  const redis = await openStore({
    url: redisUrl,
    prefix,
    newRealm: newEpoch(),
    waitReplicas: config.WAIT_REPLICAS,
    log,
    ephemeral: isEphemeral,
  });
  try {
    await openData({ store: redis, prefix, limits: retentionOf(config), claimant: nodeId, log });
    return redis;
  } catch (error) {
    redis.close();
    throw error;
  }
}
