/** One node: assembles stores, rules, streams and HTTP, starts them and shuts them down. */
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { createPasswordThreads, type PasswordThreads } from './chat/password-threads.ts';
import { createPasswords } from './chat/passwords.ts';
import { createUsernameRegistry } from './chat/username-registry.ts';
import type { Config } from './config.ts';
import { createHostCheck } from './hosts.ts';
import { createHttpServer } from './http/server.ts';
import { listen } from './listen.ts';
import type { Logger } from './logger.ts';
import { createMetrics, createMetricsServer, type Metrics } from './metrics.ts';
import { createNodeEvents } from './node-events.ts';
import { createReadinessCheck } from './readiness.ts';
import { startReplaceable } from './restarts.ts';
import type { Secrets } from './secrets.ts';
import { createServices } from './services.ts';
import { openStores, type Stores } from './stores.ts';
import { Hub, type HubOptions } from './streams/hub.ts';
import { NodePresence } from './streams/node-presence.ts';
import { rejectStream } from './streams/rejected-stream.ts';
import { Subscribers } from './streams/subscribers.ts';

export type AppOptions = {
  config: Config;
  redisUrl: string;
  /** Redis loses its data on a restart, and the operator has been warned. */
  isEphemeral?: boolean;
  secrets: Secrets;
  log: Logger;
  /** The node shares its port with other workers, and the primary serves the metrics of all of them. */
  isWorker?: boolean;
  /** For several nodes in one process, which would otherwise start threads of their own. */
  passwordThreads?: PasswordThreads;
};

export type App = {
  nodeId: string;
  address: AddressInfo;
  metricsAddress: AddressInfo | undefined;
  /** Asks clients of streams to reconnect, finishes requests in flight and closes all sockets, within 10 s. */
  close(options?: { unreadyMs?: number }): Promise<void>;
};

type Parts = ReturnType<typeof assemble>;

/** How long /readyz fails while the port is still open, so that load balancers stop sending requests first. */
const UNREADY_MS = 500;
/** How long requests in flight may take after the streams have ended. */
const DRAIN_MS = 6_000;

const randomId = (): string => Math.random().toString(36).slice(2, 10).padEnd(8, '0');

export function startApp(options: AppOptions): Promise<App> {
  const { config, log, passwordThreads = createPasswordThreads() } = options;
  return startReplaceable(
    (onReplaced, PORT = config.PORT) =>
      startNode({ ...options, passwordThreads, config: { ...config, PORT } }, onReplaced),
    log,
  );
}

type NodeOptions = AppOptions & { passwordThreads: PasswordThreads };

async function startNode(options: NodeOptions, onReplaced: () => void): Promise<App> {
  const { config, redisUrl, isEphemeral = false, isWorker = false, log } = options;
  const nodeId = `n-${randomId()}`;
  const events = createNodeEvents();
  const stores = await openStores({
    config,
    redisUrl,
    isEphemeral,
    nodeId,
    newEpoch: randomId,
    onSessionEnded: (sid) => events.emit('sessionEnded', sid),
    onReplaced,
    log,
  });
  const node = assemble(options, { nodeId, events, stores });
  await synchronize(node);
  const { metrics, server } = node;
  const address = await listen(server, config.PORT, config.HOST);
  if (isWorker) metrics?.share();
  const metricsServer =
    metrics && !isWorker ? createMetricsServer(metrics, createHostCheck(config)) : undefined;
  const metricsAddress = metricsServer && (await listen(metricsServer, config.METRICS_PORT, config.HOST));
  return {
    nodeId,
    address,
    metricsAddress,
    close: ({ unreadyMs = UNREADY_MS } = {}) => shutDown(node, metricsServer, unreadyMs),
  };
}

/** Builds every part, in the order in which they depend on each other. Nothing is sent to Redis yet. */
function assemble(
  { config, secrets, log, passwordThreads }: NodeOptions,
  base: { nodeId: string; events: ReturnType<typeof createNodeEvents>; stores: Stores },
) {
  const { nodeId, events, stores } = base;
  const subscribers = new Subscribers();
  const nodePresence = new NodePresence({
    presence: stores.presence,
    accounts: stores.accounts,
    now: stores.redis.now,
    onChange: (change) => events.emit('presenceChanged', change),
    streams: () => subscribers.streamCount,
    onHeartbeat: async () => {
      await Promise.all([stores.sessions.sync(), stores.memory.check()]);
    },
    reportError: stores.reportError,
  });
  const passwords = createPasswords({
    cost: config.BCRYPT_COST,
    workers: config.WORKERS,
    log,
    threads: passwordThreads,
  });
  const nodeState = {
    openStreams: () => subscribers.streamCount,
    accountsOnline: () => nodePresence.total(),
    passwordQueueLength: () => passwords.queueLength(),
  };
  const metrics = config.METRICS_PORT > 0 ? createMetrics(nodeState) : undefined;
  if (metrics) observeRedis(stores.redis, metrics);
  const hub = createHub(config, stores, {
    subscribers,
    nodePresence,
    count: metrics ? metrics.count : () => {},
    batchDelivered: (sentAtMs) => metrics?.batchDelivered(stores.redis.now() - sentAtMs),
  });
  events.on('sessionEnded', (sid) => hub.endSession(sid));
  events.on('presenceChanged', (change) => hub.sendPresence(change));

  const names = createUsernameRegistry({ store: stores.accounts, log });
  const closing = new AbortController();
  const isClosing = () => closing.signal.aborted;
  const services = createServices({ config, secrets, metrics, stores, names, passwords });
  const checkReady = createReadinessCheck({ ...stores, isClosing });
  const server = createHttpServer({
    config,
    log,
    metrics,
    isClosing,
    rejectStream,
    services: { ...services, nodeId, hub, checkReady },
  });
  const onlineSummary = services.presence.summary;
  return { stores, metrics, nodePresence, onlineSummary, hub, names, passwords, closing, server };
}

/** The connections are established by now: each later `ready` is a reconnect. */
function observeRedis({ observe, commands, subscriber }: Stores['redis'], metrics: Metrics): void {
  observe(metrics.redisReplied);
  commands.on('ready', () => metrics.redisReconnected('commands'));
  subscriber.on('ready', () => metrics.redisReconnected('subscriber'));
}

function createHub(
  config: Config,
  { redis, pubsub, logs, sessions, reportError }: Stores,
  parts: Pick<HubOptions, 'subscribers' | 'nodePresence' | 'count' | 'batchDelivered'>,
): Hub {
  return new Hub({
    ...parts,
    store: redis,
    pubsub,
    logs,
    reportError,
    limits: {
      maxStreamBytes: config.MAX_STREAM_BYTES,
      maxStreamsPerAccount: config.MAX_STREAMS_PER_ACCOUNT,
      replayLimit: config.REPLAY_LIMIT,
      presenceFanoutLimit: config.PRESENCE_FANOUT_LIMIT,
    },
    heartbeatSeconds: config.HEARTBEAT_SECONDS,
    isRevoked: sessions.isRevoked,
  });
}

/** Subscribes before it reads, so that what is published in between is not missed. */
async function synchronize(node: Parts): Promise<void> {
  const { stores, nodePresence, onlineSummary, hub, passwords, names } = node;
  const { pubsub, sessions, presence } = stores;
  const { channels } = stores.redis.keys;
  await pubsub.subscribe(channels.presence, (payload) => {
    const message = presence.sizes.receive(payload);
    nodePresence.receiveChange(message);
    onlineSummary.receive(message);
  });
  await pubsub.subscribe(channels.revoked, sessions.receiveRevocation);
  await pubsub.start(() => {
    // The subscription was interrupted: read what was published meanwhile.
    void hub.poll();
    nodePresence.resync();
    presence.sizes.noteMiss();
    sessions.sync().catch(() => {});
  });
  await passwords.start();
  await names.start(); // before the first heartbeat, which would hide that no node has ever run here
  await nodePresence.start();
}

async function shutDown(node: Parts, metricsServer: Server | undefined, unreadyMs: number): Promise<void> {
  const { closing, hub, server, stores, names, nodePresence } = node;
  closing.abort();
  hub.stop();
  await sleep(unreadyMs);
  const closed = once(server, 'close');
  server.close(); // closes idle connections; each other connection closes after its response
  metricsServer?.close();
  const drainTimer = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
  await closed;
  clearTimeout(drainTimer);
  stores.pubsub.stop();
  names.stop();
  await nodePresence.stop();
  stores.redis.close();
}
