/**
 * The store as the rest of Parley sees it: runs scripts, reads and transactions on the connections of a node, and decides
 * which errors mean that Redis is unavailable: those become StoreUnavailable.
 */
import type { ChainableCommander, Redis } from 'ioredis';
import { createFairTurns } from '../fair-turns.ts';
import { type Connections, createConnections, type StoreLog } from './connections.ts';
import { toStoreError } from './error-replies.ts';
import { createKeys, type Keys } from './keys.ts';
import { type Append, createAppend } from './replica-wait.ts';
import { runScript, type ScriptName, type ScriptReplies } from './scripts.ts';
import { checkServer } from './server-check.ts';

export type { StoreLog } from './connections.ts';
export { StoreFull, StoreUnavailable } from './error-replies.ts';

/** On whose behalf a read runs (waiting requesters are served in turns), and whether that caller still waits. */
export type Requester = { name: string; signal?: AbortSignal | undefined };

export type Store = {
  keys: Keys;
  /** The id of the database. */
  realm: string;
  /** For single commands and pipelines; wrap in `attempt`. */
  commands: Redis;
  subscriber: Redis;
  run<Name extends ScriptName>(
    name: Name,
    keys: string[],
    args?: (string | number)[],
  ): Promise<ScriptReplies[Name]>;
  /** Like `run`, for a send: WAIT_REPLICAS replicas have it when this resolves. Throws StoreUnavailable otherwise. */
  append: Append;
  attempt<T>(work: Promise<T>): Promise<T>;
  /** Whether the connections for commands, long reads and sends are up; each reconnects on its own. */
  isConnected(): boolean;
  /**
   * For reads of up to 256 KiB, a few at a time, on their own connection. Not for writes: their order would be
   * undefined.
   */
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

/** Maximum number of replies of up to 256 KiB in flight to this node: 2 MiB here, and in Redis. */
const MAX_BULK_READS = 8;

/**
 * `ephemeral`: suppress the durability warning; the caller already shows it. `newRealm`: identifies the database if nothing
 * identifies it yet. Throws an error of one sentence if Redis cannot be used.
 */
export async function openStore(options: {
  url: string;
  prefix: string;
  newRealm: string;
  log: StoreLog;
  ephemeral?: boolean;
  /** Number of replicas that must have a send before it is confirmed. */
  waitReplicas?: number;
}): Promise<Store> {
  const { url, prefix, newRealm, log, ephemeral = false, waitReplicas = 0 } = options;
  const connections = createConnections({ url, prefix, hasSends: waitReplicas > 0, log });
  const { address } = connections;
  try {
    const realm = await checkServer(connections.trial(), {
      ...{ address, prefix, newRealm, log, ephemeral, waitReplicas },
    });
    await connections.connect();
    return createStore(connections, { keys: createKeys(prefix, realm), realm, waitReplicas });
  } catch (error) {
    connections.close();
    throw error;
  }
}

function createStore(
  connections: Connections,
  { keys, realm, waitReplicas }: { keys: Keys; realm: string; waitReplicas: number },
): Store {
  const { commands, bulk, subscriber, sends } = connections;
  const append = createAppend(sends, waitReplicas);
  let clockOffsetMs = 0;
  let onCommand: (seconds: number) => void = () => {};
  async function attempt<T>(work: Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work;
    } catch (error) {
      throw toStoreError(error);
    } finally {
      onCommand((performance.now() - startedAt) / 1_000);
    }
  }
  const turns = createFairTurns(MAX_BULK_READS);
  return {
    keys,
    realm,
    commands,
    subscriber,
    run: (name, keys, args = []) => attempt(runScript(commands, name, keys, args)),
    append: (...call) => attempt(append(...call)),
    attempt,
    isConnected: () => [commands, bulk, sends].every(({ status }) => status === 'ready'),
    runBulk: ({ name: requester, signal }, name, keys, args = []) =>
      turns.run(requester, signal, () => attempt(runScript(bulk, name, keys, args))),
    transact: (transaction) => attempt(execute(transaction)),
    now: () => Date.now() + clockOffsetMs,
    setClock: (redisNow) => {
      clockOffsetMs = redisNow - Date.now();
    },
    observe: (listener) => {
      onCommand = listener;
    },
    close: connections.close,
  };
}

/** Redis replies to each command of a transaction; a failing command does not fail the transaction. */
async function execute(transaction: ChainableCommander): Promise<void> {
  for (const [error] of (await transaction.exec()) ?? []) if (error) throw error;
}
