/** What a run acts upon: one Redis, some nodes, and whoever reads and writes. And how all of it is made whole again. */
import type { Loss, Note } from './history.ts';
import { type Node, startNode } from './node.ts';
import { until } from './processes.ts';
import type { Reader } from './reader.ts';
import { type Fsync, type RedisServer, startRedisServer } from './redis-server.ts';

export type Blow = { name: string; fromMs: number; toMs: number };

export type World = {
  redis: RedisServer;
  nodes: Node[];
  readers: Reader[];
  /** Many and large broadcasts, beside what is sent anyway. */
  flood(count: number, bytes: number): Promise<void>;
  /** What the fault has taken away, and what it has found by itself. */
  losses: Loss[];
  notes: Note[];
  /** What acted when, in a mixture. */
  mixed: Blow[];
  /** Whoever has lost their account registers again. */
  settleAgain(): Promise<void>;
  /** Ms since the run began. */
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

/** Whatever the fault has left behind is undone. */
export async function heal({ redis, nodes }: Pick<World, 'redis' | 'nodes'>): Promise<void> {
  for (const { proxy } of nodes) {
    proxy.hang(false);
    proxy.freeze(false);
    proxy.refuse(false);
    proxy.delay(0);
    proxy.drip(0);
  }
  if (redis.isAlive()) redis.goOn();
  else await redis.start();
  await redis.refuseWrites(false);
  for (const node of nodes) {
    node.goOn();
    if (!node.isUp()) await node.start();
  }
  await until(async () => (await redis.admin.ping()) === 'PONG', 5_000);
}
