/**
 * The connections of a node to Redis: one for commands, one for long reads (so that nothing queues behind them), and a
 * subscriber. Owns timeouts, retries (none: a write with an unknown outcome must be repeated by the caller, with its
 * idempotency key) and reconnects.
 */
import { type Command, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress } from '../../redis-url.ts';
import { needsReconnect } from './error-replies.ts';
import { createSentinels, type Sentinels } from './sentinels.ts';

export type StoreLog = { info(message: string): void; warn(message: string): void };

export type Connections = ReturnType<typeof createConnections>;

/** Timeout of a command. A request makes only a few, and must end within 5 s. */
const COMMAND_TIMEOUT_MS = 3_000;

/** All connections are dropped at most this often: the cause may persist. */
const RENEW_EVERY_MS = 1_000;

/**
 * Without a ready check: it needs INFO, which a user may lack. While Redis loads its data, commands fail with LOADING.
 */
const CONNECTION = {
  lazyConnect: true,
  enableReadyCheck: false,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0, // fail pending commands at once when the connection ends
  connectTimeout: COMMAND_TIMEOUT_MS,
  commandTimeout: COMMAND_TIMEOUT_MS,
  retryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000) * (0.5 + Math.random() / 2),
} satisfies RedisOptions;

function addressOptions(address: RedisAddress, sentinels: Sentinels | undefined) {
  const { login, database, isTls } = address;
  const common = { ...login, db: database, ...(isTls && { tls: {} }) } satisfies RedisOptions;
  if (sentinels) return { ...common, Connector: sentinels.Connector };
  if (address.kind === 'server') return { ...common, host: address.host, port: address.port };
  if (address.kind === 'socket') return { ...common, path: address.path };
  throw new Error(
    'Redis Cluster is not supported yet: write the address of one server, or of its Sentinels, in REDIS_URL',
  );
}

/**
 * Send all commands of one turn of the event loop in one write: a system call costs more than a command. Unlike
 * ioredis' automatic pipelining, nothing waits for the reply to an earlier batch.
 */
class GatheringRedis extends Redis {
  #isGathering = false;

  override sendCommand(command: Command, stream?: Parameters<Redis['sendCommand']>[1]): unknown {
    if (!this.#isGathering && this.status === 'ready') {
      const socket = this.stream;
      this.#isGathering = true;
      socket.cork();
      setImmediate(() => {
        this.#isGathering = false;
        socket.uncork();
      });
    }
    return super.sendCommand(command, stream);
  }
}

/** Connects nothing yet. */
export function createConnections(options: {
  url: string;
  prefix: string;
  /** Sends get a connection of their own. */
  hasSends: boolean;
  log: StoreLog;
}) {
  const { url, prefix, hasSends, log } = options;
  const address = parseRedisUrl(url);
  const sentinels =
    address.kind === 'sentinel' ? createSentinels(address, (reason) => renew(reason)) : undefined;
  const place = addressOptions(address, sentinels);
  const optionsFor = (name: string) => ({
    ...CONNECTION,
    ...place,
    connectionName: `${prefix}${name}`, // for CLIENT LIST
    reconnectOnError: (error: Error) => {
      if (needsReconnect(error)) renew(error.message);
      return false; // done for all connections
    },
  });
  const socketTimeout = COMMAND_TIMEOUT_MS + 1_000;
  const named = {
    commands: new GatheringRedis({ ...optionsFor('commands'), socketTimeout }),
    bulk: new GatheringRedis({ ...optionsFor('bulk'), socketTimeout }),
    subscriber: new Redis(optionsFor('subscriber')),
    ...(hasSends && { sends: new GatheringRedis({ ...optionsFor('sends'), socketTimeout }) }),
  };
  const all: Redis[] = Object.values(named);
  for (const [name, connection] of Object.entries(named)) {
    logConnection(name, connection, log);
    connection.on('error', (error) => {
      if (isFailedSelect(error)) connection.disconnect(true); // ioredis would go on in database 0
    });
  }
  const renew = createRenewal(all, log);

  return {
    ...{ address, sends: named.commands, ...named },

    /** For the check at a start: not connected, in database 0, and without retries. */
    trial: (): Redis => new Redis({ ...optionsFor('start'), db: 0, retryStrategy: () => null }),

    async connect(): Promise<void> {
      await Promise.all(all.map((connection) => connection.connect()));
      sentinels?.watch();
    },

    close(): void {
      sentinels?.close();
      for (const connection of all) connection.disconnect();
    },
  };
}

/** Connect again, to the server that the address leads to now. */
function createRenewal(connections: Redis[], log: StoreLog) {
  let renewedAt = Number.NEGATIVE_INFINITY;
  return (reason: string): void => {
    if (performance.now() - renewedAt < RENEW_EVERY_MS) return;
    renewedAt = performance.now();
    log.warn(`redis: ${reason}; connecting again`);
    // ioredis never connects again if it is disconnected while it connects
    for (const each of connections) if (each.status === 'ready') each.disconnect(true);
  };
}

const isFailedSelect = (error: Error & { command?: { name: string } }): boolean =>
  error.command?.name === 'select';

/** Logs the first error of an outage, and its end. */
function logConnection(name: string, connection: Redis, log: StoreLog): void {
  let isDown = false;
  connection.on('error', (error: Error) => {
    if (!isDown) log.warn(`redis (${name}): ${messageOf(error)}`);
    isDown = true;
  });
  connection.on('ready', () => {
    if (isDown) log.info(`redis (${name}): connected again`);
    isDown = false;
  });
}

/** A host with several addresses fails with one error for each of them, and no message of its own. */
export const messageOf = (error: Error): string =>
  error instanceof AggregateError && error.errors.length > 0
    ? [...new Set(error.errors.map(({ message }) => message))].join(', ')
    : error.message || error.name;
