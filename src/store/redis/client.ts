/**
 * The three connections of a node: one for commands, one for long reads (so that nothing queues behind them), and a
 * subscriber. Owns timeouts, retries (none: a write with an unknown outcome must be repeated by the caller, with its
 * idempotency key), and the decision which errors mean that Redis is unavailable. Callers see StoreUnavailable or a
 * bug.
 */
import { type ChainableCommander, type Command, Redis, type RedisOptions } from 'ioredis';
import { createFairTurns } from '../fair-turns.ts';
import { createKeys, type Keys } from './keys.ts';
import { runScript, type ScriptName, type ScriptReplies } from './scripts.ts';

/** Redis is unavailable, too slow, or rejects writes. Becomes 503 `unavailable`; the outcome of a write is unknown. */
export class StoreUnavailable extends Error {}

/** Redis has reached its `maxmemory`: nothing was written. */
export class StoreFull extends StoreUnavailable {}

export type StoreLog = { info(message: string): void; warn(message: string): void };

/** On whose behalf a read runs (waiting readers are served in turns), and whether that caller still waits. */
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
  bulk<T>(asker: Requester, work: (bulk: Redis) => Promise<T>): Promise<T>;
  runBulk<Name extends ScriptName>(
    asker: Requester,
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
const BULK_AT_ONCE = 8;
/** Replies that mean "not now" rather than "invalid command". */
const NOT_NOW =
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

/** `ephemeral`: suppress the durability warning; the caller already shows it. */
export async function openStore(options: {
  url: string;
  prefix: string;
  log: StoreLog;
  ephemeral?: boolean;
}): Promise<Store> {
  const { url, prefix, log, ephemeral = false } = options;
  const asking = (name: string) =>
    new GatheringRedis(url, {
      ...connectionOptions(`${prefix}${name}`),
      socketTimeout: COMMAND_TIMEOUT_MS + 1_000,
    });
  const [commands, bulk] = [asking('commands'), asking('bulk')];
  const subscriber = new Redis(url, { ...connectionOptions(`${prefix}subscriber`), autoResubscribe: false });
  const disconnect = () => {
    for (const connection of [commands, bulk, subscriber]) connection.disconnect();
  };
  let trouble: string | undefined;
  for (const [name, connection] of Object.entries({ commands, bulk, subscriber })) {
    let down = false;
    connection.on('error', (error: Error) => {
      trouble = error.message || error.name;
      if (!down) log.warn(`redis (${name}): ${trouble}`);
      down = true;
    });
    connection.on('ready', () => {
      if (down) log.info(`redis (${name}): connected again`);
      down = false;
    });
  }
  try {
    await Promise.all([commands.connect(), bulk.connect(), subscriber.connect()]);
    await checkServer(commands, log, ephemeral);
  } catch (error) {
    disconnect();
    throw trouble === undefined ? error : new Error(`Redis cannot be used: ${trouble}`, { cause: error });
  }

  let clockOffsetMs = 0;
  let observed: (seconds: number) => void = () => {};
  async function attempt<T>(work: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work;
    } catch (error) {
      throw asUnavailable(error);
    } finally {
      observed((performance.now() - startedAt) / 1_000);
    }
  }
  const turns = createFairTurns(BULK_AT_ONCE);
  function inTurn<T>({ name: by, signal }: Requester, work: (bulk: Redis) => Promise<T>): Promise<T> {
    return turns.run(by, signal, () => attempt(work(bulk)));
  }
  return {
    keys: createKeys(prefix),
    commands,
    subscriber,
    run: (name, keys, args = []) => attempt(runScript(commands, name, keys, args)),
    attempt,
    isConnected: () => [commands, bulk].every(({ status }) => status === 'ready'),
    bulk: inTurn,
    runBulk: (asker, name, keys, args = []) => inTurn(asker, (redis) => runScript(redis, name, keys, args)),
    transact: (transaction) => attempt(completed(transaction)),
    now: () => Date.now() + clockOffsetMs,
    setClock: (redisNow) => {
      clockOffsetMs = redisNow - Date.now();
    },
    observe: (listener) => {
      observed = listener;
    },
    close: disconnect,
  };
}

/**
 * A reply other than "not now" is a bug and is passed through, as is any error that did not come from Redis. Any other
 * ioredis error means that the connection failed.
 */
function asUnavailable(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (error.name === 'ReplyError') return asNotNow(error) ?? error;
  if (OUR_BUGS.some((kind) => error instanceof kind) || 'path' in error) return error;
  return new StoreUnavailable(error.message, { cause: error });
}

/** An aborted transaction reports only the abort; the replies to its commands contain the reason. */
function asNotNow(error: Error): StoreUnavailable | undefined {
  const previous =
    'previousErrors' in error && Array.isArray(error.previousErrors) ? error.previousErrors : [];
  const reasons: string[] = previous.length > 0 ? previous.map(({ message }) => message) : [error.message];
  if (!reasons.every((reason) => NOT_NOW.test(reason))) return undefined;
  const isFull = reasons.some((reason) => reason.startsWith('OOM'));
  return new (isFull ? StoreFull : StoreUnavailable)(error.message, { cause: error });
}

/** Redis replies to each command of a transaction; a failing command does not fail the transaction. */
async function completed(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error) throw error;
}

const OUR_BUGS = [TypeError, RangeError, ReferenceError, SyntaxError];

async function checkServer(redis: Redis, log: StoreLog, ephemeral: boolean): Promise<void> {
  const { refusal, warnings } = judgeServer(await redis.info(), ephemeral);
  if (refusal) throw new Error(refusal);
  for (const warning of warnings) log.warn(warning);
}

/** Reject a server that is too old; warn about settings that lose messages. Input is INFO. Pure. */
export function judgeServer(info: string, ephemeral: boolean): { refusal?: string; warnings: string[] } {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const version = field('valkey_version') ?? field('redis_version') ?? '0';
  const warnings: string[] = [];
  if (Number.parseInt(version, 10) < 7) {
    return { refusal: `Redis ${version} is too old: Parley needs 7.0 or newer`, warnings };
  }
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    warnings.push(
      `Redis drops keys when memory is full (${policy}): MESSAGES WILL VANISH. Set maxmemory-policy noeviction.`,
    );
  }
  if (field('aof_enabled') !== '1' && !ephemeral) {
    warnings.push('Redis keeps no append-only file: a restart of Redis LOSES MESSAGES. Set appendonly yes.');
  }
  return { warnings };
}
