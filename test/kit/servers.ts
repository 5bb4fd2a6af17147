/** A redis-server, or a topology of several, for one test. */
import { onTestFinished } from 'vitest';
import { openProxy, type TcpProxy } from './tcp-proxy.ts';
import { type SentinelOptions, type SentinelTopology, startSentinelTopology } from './topology/sentinel.ts';
import { type Server, type Settings, startServer, waitUntil } from './topology/server.ts';

export async function redisServer(settings: Settings = {}, args: string[] = []): Promise<Server> {
  const server = await startServer(settings, args);
  onTestFinished(() => server.end());
  return server;
}

export const urlOf = (server: Server, database = 0): string => `redis://${server.address}/${database}`;

export async function sentinelTopology(options?: SentinelOptions): Promise<SentinelTopology> {
  const topology = await startSentinelTopology(options);
  onTestFinished(() => topology.end());
  return topology;
}

/** An address that leads to one of several servers: a DNS name, or the endpoint of a managed Redis. */
export async function movableAddress(server: Server): Promise<{ proxy: TcpProxy; lead(to: Server): void }> {
  const proxy = await openProxy(server.port);
  onTestFinished(() => proxy.close());
  return { proxy, lead: (to) => proxy.retarget(to.port) };
}

/** Makes `replica` the primary and `primary` its replica. Their connections stay open. */
export async function swapRoles(primary: Server, replica: Server): Promise<void> {
  await replica.call('REPLICAOF', 'NO', 'ONE');
  await primary.call('REPLICAOF', '127.0.0.1', replica.port);
}

/** Waits until the replicas have everything that the primary had at the time of the call. */
export async function inSync(primary: Server, ...replicas: Server[]): Promise<void> {
  const replication = async (server: Server, field: string) =>
    new RegExp(`^${field}:(.*?)\\r$`, 'm').exec(String(await server.call('INFO', 'replication')))?.[1];
  const due = Number(await replication(primary, 'master_repl_offset'));
  for (const replica of replicas)
    await waitUntil(
      'the replica is in sync',
      async () => {
        if ((await replication(replica, 'master_link_status')) !== 'up') return 'its link is down';
        const seen = String(await primary.call('INFO', 'replication'));
        if (!seen.includes(`port=${replica.port},state=online`)) return 'its primary waits for it';
        const offset = Number(await replication(replica, 'slave_repl_offset'));
        return offset >= due ? undefined : `it is at ${offset} of ${due}`;
      },
      20_000,
    );
}
