/** The environment of a run: one Redis, several nodes and the users; and how it is healed after a fault. */
import type { Loss, Note } from './history.ts';
import { type Node, startNode } from './node.ts';
import { until } from './processes.ts';
import type { Reader } from './reader.ts';
import { type Fsync, type RedisServer, startRedisServer } from './redis-server.ts';

export type Injection = { name: string; fromMs: number; toMs: number };

export type World = {
  redis: RedisServer;
  nodes: Node[];
  readers: Reader[];
  /** Sends many large broadcasts in addition to the regular traffic. */
  flood(count: number, bytes: number): Promise<void>;
  /** Losses that the fault caused, and violations that it found. */
  losses: Loss[];
  notes: Note[];
  /** The injections of `mixed`, with their times. */
  mixed: Injection[];
  /** Registers accounts again after a loss of data. */
  registerAgain(): Promise<void>;
  /** Ms since the start of the run. */
  now(): number;
};

export const NODES = 3;

export async function openWorld(options: {
  dist: string;
  fsync: Fsync;
  count?: number;
  folder?: string;
  env?: NodeJS.ProcessEnv;
}) {
  const redis = await startRedisServer(options.fsync, options.folder);
  const start = () => startNode({ dist: options.dist, redisPort: redis.port, env: options.env ?? {} });
  const nodes = await Promise.all(Array.from({ length: options.count ?? NODES }, start));
  return { redis, nodes };
}

export async function closeWorld({ redis, nodes }: Pick<World, 'redis' | 'nodes'>): Promise<void> {
  await Promise.all(nodes.map((node) => node.end()));
  await redis.end();
}

/** Undoes all effects of the fault. */
export async function heal({ redis, nodes }: Pick<World, 'redis' | 'nodes'>): Promise<void> {
  for (const { proxy } of nodes) {
    proxy.hang(false);
    proxy.freeze(false);
    proxy.refuse(false);
    proxy.delay(0);
    proxy.drip(0);
  }
  if (redis.isAlive()) redis.resume();
  else await redis.start();
  await redis.rejectWrites(false);
  for (const node of nodes) {
    node.resume();
    if (!node.isUp()) await node.start();
  }
  await until(async () => (await redis.admin.ping()) === 'PONG', 5_000);
}
