/** Composes a node from store, rules, streams and HTTP, starts it and shuts it down. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createAccounts } from './chat/accounts.ts';
import { createDeviceTokens } from './chat/device-tokens.ts';
import { createLoginAttempts } from './chat/login-attempts.ts';
import { createMailbox } from './chat/mailbox.ts';
import { createMessages } from './chat/messages.ts';
import { createPasswords } from './chat/passwords.ts';
import { createPresence } from './chat/presence.ts';
import { Problem } from './chat/problems.ts';
import { createSessions } from './chat/sessions.ts';
import { createStorageGuard } from './chat/storage-guard.ts';
import { createTickets } from './chat/tickets.ts';
import { createTokens } from './chat/tokens.ts';
import { createUsernameRegistry } from './chat/username-registry.ts';
import { type Config, retentionOf } from './config.ts';
import { createHostCheck } from './hosts.ts';
import { createHttpServer } from './http/server.ts';
import { listen } from './listen.ts';
import type { Logger } from './logger.ts';
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts';
import type { Secrets } from './secrets.ts';
import { createAccountStore } from './store/accounts.ts';
import { createConversationStore } from './store/conversations.ts';
import { parseCursor } from './store/log/cursor.ts';
import { createLogStore } from './store/log/log-store.ts';
import { createMemoryWatermark } from './store/memory-watermark.ts';
import { createPresenceStore } from './store/presence.ts';
import { createRateLimitStore } from './store/rate-limits.ts';
import { openStore } from './store/redis/client.ts';
import { createPubSub } from './store/redis/pubsub.ts';
import { createSessionStore } from './store/sessions.ts';
import { createTicketStore } from './store/tickets.ts';
import { Hub } from './streams/hub.ts';
import { NodePresence } from './streams/node-presence.ts';
import { rejectStream } from './streams/rejected-stream.ts';

export type AppOptions = {
  config: Config;
  redisUrl: string;
  /** Redis keeps no data over a restart, and the user has been warned. */
  isEphemeral?: boolean;
  secrets: Secrets;
  log: Logger;
  /** Shares its port with others; the primary serves the metrics of all. */
  isWorker?: boolean;
};

export type App = {
  nodeId: string;
  address: AddressInfo;
  metricsAddress: AddressInfo | undefined;
  /** Asks clients of streams to reconnect, finishes requests in flight and closes all sockets, within 10 s. */
  close(options?: { unreadyMs?: number }): Promise<void>;
};

/** How long readyz fails while the port is still open, so that requests on their way are served. */
const UNREADY_MS = 500;
/** How long requests in flight may take after the streams have gone. */
const DRAIN_MS = 6_000;
const READY_WITHIN_MS = 1_000;

const randomId = (): string => Math.random().toString(36).slice(2, 10).padEnd(8, '0');

export async function startApp(options: AppOptions): Promise<App> {
  const { config, redisUrl, isEphemeral, secrets, log, isWorker = false } = options;
  const nodeId = `n-${randomId()}`;
  const store = await openStore({
    url: redisUrl,
    prefix: config.KEY_PREFIX,
    log,
    ephemeral: isEphemeral ?? false,
  });
  const { keys, now } = store;
  const ttlMs = {
    accessTtlMs: config.ACCESS_TTL_SECONDS * 1_000,
    refreshTtlMs: config.REFRESH_TTL_DAYS * 86_400_000,
  };

  const accountStore = createAccountStore(store);
  const sessionStore = createSessionStore(store, ttlMs);
  const presenceStore = createPresenceStore(store, nodeId);
  const limits = createRateLimitStore(store);
  const pubsub = createPubSub(store, nodeId, log);
  const logs = createLogStore(store, {
    retention: retentionOf(config),
    sendLimit: config.SEND_LIMIT,
    newEpoch: randomId,
  });

  const metrics: Metrics | undefined = config.METRICS_PORT > 0 ? createMetrics(() => hub.size) : undefined;
  if (metrics) store.observe(metrics.redis);
  const memory = createMemoryWatermark(store, {
    markPercent: config.HIGH_WATER_PERCENT,
    maxMemory: config.REDIS_MAXMEMORY,
    log,
  });
  const storage = createStorageGuard(memory.isFull);
  const nodePresence = new NodePresence({
    presence: presenceStore,
    accounts: accountStore,
    now,
    onChange: (change) => hub.sendPresence(change),
    streams: () => hub.size,
    onHeartbeat: async () => {
      await Promise.all([sessionStore.sync(), memory.check()]);
    },
  });
  const hub = new Hub({
    store,
    pubsub,
    logs,
    nodePresence,
    limits: {
      maxStreamBytes: config.MAX_STREAM_BYTES,
      maxStreamsPerAccount: config.MAX_STREAMS_PER_ACCOUNT,
      replayLimit: config.REPLAY_LIMIT,
      presenceFanoutLimit: config.PRESENCE_FANOUT_LIMIT,
    },
    heartbeatSeconds: config.HEARTBEAT_SECONDS,
    isRevoked: sessionStore.isRevoked,
    count: metrics ? metrics.counted : () => {},
  });
  sessionStore.onRevoked((sid) => hub.endSession(sid));

  const names = createUsernameRegistry({ store: accountStore, log });
  const passwords = createPasswords({ cost: config.BCRYPT_COST, workers: config.WORKERS, log });
  const tokens = createTokens({ secrets: secrets.keys, accessTtlSeconds: config.ACCESS_TTL_SECONDS, now });
  const presence = createPresence({ store: presenceStore, accounts: accountStore });
  let isClosing = false;
  const server = createHttpServer({
    config,
    log,
    metrics,
    isClosing: () => isClosing,
    rejectStream,
    services: {
      nodeId,
      hub,
      presence,
      accounts: createAccounts({
        store: accountStore,
        names,
        presence: presenceStore,
        limits,
        registerLimit: config.REGISTER_LIMIT,
        storage,
        passwords,
        now,
      }),
      sessions: createSessions({
        store: sessionStore,
        accounts: accountStore,
        presence,
        logins: createLoginAttempts({
          accounts: accountStore,
          names,
          limits,
          failureLimit: config.LOGIN_LIMIT,
          successLimit: config.LOGIN_SUCCESS_LIMIT,
          passwords,
          devices: createDeviceTokens({ keys: secrets.derive('device tokens'), now }),
        }),
        tokens,
        maxSessions: config.MAX_SESSIONS_PER_ACCOUNT,
        refreshKey: secrets.derive('refresh tokens')[0]!,
        accessTtlSeconds: config.ACCESS_TTL_SECONDS,
        now,
      }),
      tickets: createTickets({
        store: createTicketStore(store),
        isRevoked: sessionStore.isRevoked,
        now,
      }),
      messages: createMessages({
        logs,
        conversations: createConversationStore(store),
        accounts: accountStore,
        names,
        keys,
        now,
        storage,
        sent: (kind) => metrics?.sent(kind),
      }),
      mailbox: createMailbox({ logs, positionOf: (eventId) => parseCursor(eventId)?.inbox }),
      checkReady: async () => {
        if (isClosing)
          throw new Problem('unavailable', 'This node is shutting down.', { retryAfterMs: 1_000 });
        if (!store.isConnected())
          throw new Problem('unavailable', 'Redis is not connected.', { retryAfterMs: 1_000 });
        if (!pubsub.isReceiving())
          throw new Problem('unavailable', 'The Redis subscription is not receiving messages.', {
            retryAfterMs: 1_000,
          });
        await answersInTime(store.attempt(store.commands.ping()));
      },
    },
  });

  // Subscribe first, read second: nothing published in between is lost.
  await pubsub.subscribe(keys.channels.presence, (payload) => nodePresence.receiveChange(payload));
  await pubsub.subscribe(keys.channels.revoked, sessionStore.receiveRevocation);
  await pubsub.start(() => {
    // The subscriber was disconnected: read what it missed.
    void hub.poll();
    nodePresence.resync();
    sessionStore.sync().catch(() => {});
  });
  await passwords.start();
  await names.start(); // before the first heartbeat, which would hide that no node has ever run here
  await nodePresence.start();
  const address = await listen(server, config.PORT, config.HOST);
  if (isWorker) metrics?.share();
  const metricsServer =
    metrics && !isWorker ? createMetricsServer(metrics, createHostCheck(config)) : undefined;
  const metricsAddress = metricsServer && (await listen(metricsServer, config.METRICS_PORT, config.HOST));

  return {
    nodeId,
    address,
    metricsAddress,
    close: async ({ unreadyMs = UNREADY_MS } = {}) => {
      isClosing = true;
      hub.stop();
      await sleep(unreadyMs);
      const closed = once(server, 'close');
      server.close(); // with it go the idle connections; any other goes with its answer
      metricsServer?.close();
      const cut = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
      await closed;
      clearTimeout(cut);
      pubsub.stop();
      names.stop();
      await nodePresence.stop();
      store.close();
    },
  };
}

async function answersInTime(ping: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const problem = new Problem('unavailable', 'Redis does not respond.', { retryAfterMs: 1_000 });
    timer = setTimeout(() => reject(problem), READY_WITHIN_MS);
  });
  await Promise.race([ping, late]).finally(() => clearTimeout(timer));
}
