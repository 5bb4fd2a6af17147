/**
 * The connections of a node to Redis: one for commands, one for long reads (so that nothing queues behind them), and a
 * subscriber. Owns timeouts, retries (none: a write with an unknown outcome must be repeated by the caller, with its
 * idempotency key) and reconnects.
 */
import { type Command, Redis, type RedisOptions } from 'ioredis';
import { parseRedisUrl, type RedisAddress } from '../../redis-url.ts';

export type StoreLog = { info(message: string): void; warn(message: string): void };

export type Connections = ReturnType<typeof createConnections>;

/** Timeout of a command. A request makes only a few, and must end within 5 s. */
const COMMAND_TIMEOUT_MS = 3_000;

/**
 * Without a ready check: it needs INFO, which a user may lack. While Redis loads its data, commands fail with LOADING.
 */
export function connectionOptions(address: RedisAddress, name: string) {
  return {
    ...addressOptions(address),
    connectionName: name, // for CLIENT LIST
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
}

function addressOptions(address: RedisAddress) {
  const { login, database, isTls } = address;
  const common = { ...login, db: database, ...(isTls && { tls: {} }) } satisfies RedisOptions;
  switch (address.kind) {
    case 'server':
      return { ...common, host: address.host, port: address.port };
    case 'socket':
      return { ...common, path: address.path };
    default:
      throw new Error('REDIS_URL names Sentinels or a cluster, which is not supported yet');
  }
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
export function createConnections({ url, prefix, log }: { url: string; prefix: string; log: StoreLog }) {
  const address = parseRedisUrl(url);
  const create = (name: string) =>
    new GatheringRedis({
      ...connectionOptions(address, `${prefix}${name}`),
      socketTimeout: COMMAND_TIMEOUT_MS + 1_000,
    });
  const commands = create('commands');
  const bulk = create('bulk');
  const subscriber = new Redis(connectionOptions(address, `${prefix}subscriber`));
  const named = { commands, bulk, subscriber };
  const all: Redis[] = Object.values(named);
  for (const [name, connection] of Object.entries(named)) logConnection(name, connection, log);

  return {
    ...{ address, commands, bulk, subscriber, all },
    /** The connection of this key's slot: the same for all keys of one server. */
    commandsOf: (_key: string): Redis => commands,
    bulkOf: (_key: string): Redis => bulk,

    async connect(): Promise<void> {
      await Promise.all(all.map((connection) => connection.connect()));
    },

    close(): void {
      for (const connection of all) connection.disconnect();
    },
  };
}

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
