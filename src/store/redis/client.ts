/**
 * The three connections of a node: one for commands, one for long reads (so that nothing queues behind them), and a
 * subscriber. Owns timeouts, retries (none: a write with an unknown outcome must be repeated by the caller, with its
 * idempotency key), and the decision which errors mean that Redis is unavailable: those become StoreUnavailable.
 */
import { type ChainableCommander, type Command, Redis, type RedisOptions } from 'ioredis';
import { createFairTurns } from '../fair-turns.ts';
import { createKeys, type Keys } from './keys.ts';
import { runScript, type ScriptName, type ScriptReplies } from './scripts.ts';
import { checkServer } from './server-check.ts';

/** Redis is unavailable, too slow, or rejects writes. Becomes 503 `unavailable`; the outcome of a write is unknown. */
export class StoreUnavailable extends Error {}

/** Redis has reached its `maxmemory`: nothing was written. */
export class StoreFull extends StoreUnavailable {}

export type StoreLog = { info(message: string): void; warn(message: string): void };

/** On whose behalf a read runs (waiting requesters are served in turns), and whether that caller still waits. */
export type Requester = { name: string; signal?: AbortSignal | undefined };

export type Store = {
  keys: Keys;
  /** For reads in one command or pipeline; wrap in `attempt`. */
  commands: Redis;
  subscriber: Redis;
  run<Name extends ScriptName>(
    name: Name,
    keys: string[],
    args?: (string | number)[],
  ): Promise<ScriptReplies[Name]>;
  attempt<T>(work: Promise<T>): Promise<T>;
  /** Whether the command and long-read connections are up; each reconnects on its own. */
  isConnected(): boolean;
  /**
   * For reads of up to 256 KiB, a few at a time, on their own connection. Not for writes: their order would be
   * undefined.
   */
  bulk<T>(requester: Requester, work: (bulk: Redis) => Promise<T>): Promise<T>;
  runBulk<Name extends ScriptName>(
    requester: Requester,
    name: Name,
    keys: string[],
    args?: (string | number)[],
  ): Promise<ScriptReplies[Name]>;
  /** Run a transaction of `commands`. Succeeds completely, or throws as `attempt` does. */
  transact(commands: ChainableCommander): Promise<void>;
  /** Epoch ms by Redis' clock, so that a node whose own clock is wrong still agrees with the others. */
  now(): number;
  setClock(redisNow: number): void;
  observe(listener: (seconds: number) => void): void;
  close(): void;
};

/** Timeout of a command. A request makes only a few, and must end within 5 s. */
const COMMAND_TIMEOUT_MS = 3_000;
/** Maximum number of replies of up to 256 KiB in flight to this node: 2 MiB here, and in Redis. */
const MAX_BULK_READS = 8;
/** Error replies that may succeed later, unlike those to an invalid command. */
const TEMPORARY =
  /^(LOADING|OOM|READONLY|MISCONF|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|BUSY|TRYAGAIN|NOAUTH|EXECABORT|ERR max number of clients)/;

function connectionOptions(name: string) {
  return {
    connectionName: name, // for CLIENT LIST
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0, // fail pending commands at once when the connection ends
    connectTimeout: COMMAND_TIMEOUT_MS,
    commandTimeout: COMMAND_TIMEOUT_MS,
    retryStrategy: (times: number) => Math.min(50 * 2 ** times, 1_000) * (0.5 + Math.random() / 2),
  } satisfies RedisOptions;
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

type Connections = { commands: Redis; bulk: Redis; subscriber: Redis };

/** `ephemeral`: suppress the durability warning; the caller already shows it. */
export async function openStore(options: {
  url: string;
  prefix: string;
  log: StoreLog;
  ephemeral?: boolean;
}): Promise<Store> {
  const { url, prefix, log, ephemeral = false } = options;
  const connections = createConnections(url, prefix);
  let lastError: string | undefined;
  for (const [name, connection] of Object.entries(connections)) {
    logConnection(name, connection, log);
    connection.on('error', (error: Error) => {
      lastError = messageOf(error);
    });
  }
  try {
    await Promise.all(Object.values(connections).map((connection) => connection.connect()));
    await checkServer(connections.commands, log, ephemeral);
  } catch (error) {
    disconnect(connections);
    throw lastError === undefined ? error : new Error(`Redis cannot be used: ${lastError}`, { cause: error });
  }
  return createStore(connections, prefix);
}

function createConnections(url: string, prefix: string): Connections {
  const create = (name: string) =>
    new GatheringRedis(url, {
      ...connectionOptions(`${prefix}${name}`),
      socketTimeout: COMMAND_TIMEOUT_MS + 1_000,
    });
  return {
    commands: create('commands'),
    bulk: create('bulk'),
    subscriber: new Redis(url, { ...connectionOptions(`${prefix}subscriber`), autoResubscribe: false }),
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

const messageOf = (error: Error): string => error.message || error.name;

function disconnect(connections: Connections): void {
  for (const connection of Object.values(connections)) connection.disconnect();
}

function createStore(connections: Connections, prefix: string): Store {
  const { commands, bulk, subscriber } = connections;
  let clockOffsetMs = 0;
  let onCommand: (seconds: number) => void = () => {};
  async function attempt<T>(work: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work;
    } catch (error) {
      throw asUnavailable(error);
    } finally {
      onCommand((performance.now() - startedAt) / 1_000);
    }
  }
  const turns = createFairTurns(MAX_BULK_READS);
  function inTurn<T>({ name, signal }: Requester, work: (bulk: Redis) => Promise<T>): Promise<T> {
    return turns.run(name, signal, () => attempt(work(bulk)));
  }
  return {
    keys: createKeys(prefix),
    commands,
    subscriber,
    run: (name, keys, args = []) => attempt(runScript(commands, name, keys, args)),
    attempt,
    isConnected: () => [commands, bulk].every(({ status }) => status === 'ready'),
    bulk: inTurn,
    runBulk: (requester, name, keys, args = []) =>
      inTurn(requester, (redis) => runScript(redis, name, keys, args)),
    transact: (transaction) => attempt(execute(transaction)),
    now: () => Date.now() + clockOffsetMs,
    setClock: (redisNow) => {
      clockOffsetMs = redisNow - Date.now();
    },
    observe: (listener) => {
      onCommand = listener;
    },
    close: () => disconnect(connections),
  };
}

/**
 * Any other error reply is a bug and is passed through, as is any error that did not come from Redis. Any other ioredis
 * error means that the connection failed.
 */
function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'ReplyError') return asTemporary(error) ?? error;
  if (PROGRAMMING_ERRORS.some((kind) => error instanceof kind) || 'path' in error) return error;
  return new StoreUnavailable(error.message, { cause: error });
}

/** An aborted transaction reports only the abort; the replies to its commands contain the reason. */
function asTemporary(error: Error): StoreUnavailable | undefined {
  const previous =
    'previousErrors' in error && Array.isArray(error.previousErrors) ? error.previousErrors : [];
  const reasons: string[] = previous.length > 0 ? previous.map(({ message }) => message) : [error.message];
  if (!reasons.every((reason) => TEMPORARY.test(reason))) return undefined;
  const isFull = reasons.some((reason) => reason.startsWith('OOM'));
  return new (isFull ? StoreFull : StoreUnavailable)(error.message, { cause: error });
}

/** Redis replies to each command of a transaction; a failing command does not fail the transaction. */
async function execute(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error) throw error;
}

const PROGRAMMING_ERRORS = [TypeError, RangeError, ReferenceError, SyntaxError];
