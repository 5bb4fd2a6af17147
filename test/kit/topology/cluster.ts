/** A Redis Cluster with any number of primaries and replicas: real redis-server processes on loopback. */
import { freePort } from '../ports.ts';
import { formCluster, type Layout, layoutFrom } from './cluster-nodes.ts';
import {
  DATA_SETTINGS,
  endAll,
  roleOf,
  type Server,
  type Settings,
  startAll,
  startServer,
  waitUntil,
} from './server.ts';

const HEALTHY_WITHIN_MS = 60_000;
const FAILED_OVER_WITHIN_MS = 30_000;

export type ClusterOptions = {
  /** Default 3, the fewest with which a cluster can fail over. */
  primaries?: number;
  /** Of each primary. Default 1. */
  replicas?: number;
  /** More lines for the configuration of the servers. */
  settings?: Settings;
};

export type ClusterTopology = {
  /** `redis+cluster://host:port,…`, with all servers. */
  url: string;
  /** The servers; the first ones start as the primaries, in the order of their slots. */
  servers: Server[];
  /** The primary of a key now, according to most running servers. @throws Error while they disagree */
  primaryOf(key: string): Promise<Server>;
  /** All primaries that have slots, in the order of their first slot. @throws Error while the servers disagree */
  primaries(): Promise<Server[]>;
  /** The replicas of a primary, also those that are down. @throws Error while the servers disagree */
  replicasOf(primary: Server): Promise<Server[]>;
  /** A planned failover (CLUSTER FAILOVER) from a primary to its first running replica, which is returned as a primary. */
  failOver(primary: Server): Promise<Server>;
  /**
   * Waits until the running servers agree that all slots have a running primary, and all running replicas are in sync.
   * @throws Error with what is missing after `withinMs` (default 60 s)
   */
  healthy(withinMs?: number): Promise<void>;
  /** Kills all processes and removes their directories. */
  end(): Promise<void>;
};

/** Starts the servers, forms the cluster and waits until it is healthy: about 6 s for 3 + 3. */
export async function startClusterTopology(options: ClusterOptions = {}): Promise<ClusterTopology> {
  const { primaries = 3, replicas = 1, settings = {} } = options;
  const count = primaries * (1 + replicas);
  const start = async (): Promise<Server> =>
    startServer({ ...DATA_SETTINGS, ...(await clusterSettings()), ...settings });
  const servers = await startAll(Array.from({ length: count }, () => start));
  try {
    await formCluster(servers, primaries);
    const topology = assemble(servers);
    await topology.healthy();
    return topology;
  } catch (error) {
    await endAll(servers);
    throw error;
  }
}

const clusterSettings = async (): Promise<Settings> => ({
  'cluster-enabled': 'yes',
  // By default it is the port + 10,000, which may be in use.
  'cluster-port': await freePort(),
  'cluster-node-timeout': 2_000,
  'cluster-require-full-coverage': 'no',
  // A replica that moves to another primary by itself would change the topology in the middle of a test.
  'cluster-allow-replica-migration': 'no',
});

function assemble(servers: Server[]): ClusterTopology {
  const layout = () => agreedLayout(servers);
  const serverAt = (port: number): Server => servers.find((each) => each.port === port)!;
  const replicasOf = async (primary: Server): Promise<Server[]> =>
    (await layout()).nodes
      .filter((each) => each.primaryPort === primary.port)
      .map(({ port }) => serverAt(port));
  return {
    url: `redis+cluster://${servers.map(({ address }) => address).join(',')}`,
    servers,
    primaryOf: async (key) => {
      const [server] = servers.filter((each) => each.isRunning());
      const slot = Number(await server!.call('CLUSTER', 'KEYSLOT', key));
      return serverAt((await layout()).slots.find(({ from, to }) => from <= slot && slot <= to)!.port);
    },
    primaries: async () => [...new Set((await layout()).slots.map(({ port }) => port))].map(serverAt),
    replicasOf,
    failOver: async (primary) => {
      const [replica] = (await replicasOf(primary)).filter((each) => each.isRunning());
      if (!replica) throw new Error(`${primary.address} has no running replica`);
      await replica.call('CLUSTER', 'FAILOVER');
      const isPromoted = async () =>
        (await roleOf(replica)).name === 'primary' ? undefined : 'the replica is not a primary yet';
      await waitUntil('the replica is promoted', isPromoted, FAILED_OVER_WITHIN_MS);
      return replica;
    },
    healthy: (withinMs = HEALTHY_WITHIN_MS) =>
      waitUntil('the cluster is healthy', () => obstacleOf(servers), withinMs),
    end: () => endAll(servers),
  };
}

/** What all running servers say. @throws Error while they say different things */
async function agreedLayout(servers: Server[]): Promise<Layout> {
  const running = servers.filter((each) => each.isRunning());
  const layouts = await Promise.all(
    running.map(async (each) => layoutFrom(String(await each.call('CLUSTER', 'NODES')))),
  );
  const [first] = layouts;
  if (!first) throw new Error('no server of the cluster is running');
  const differs = layouts.some((each) => JSON.stringify(each) !== JSON.stringify(first));
  if (differs) throw new Error('the servers disagree about the slots and replicas');
  return first;
}

async function obstacleOf(servers: Server[]): Promise<string | undefined> {
  const { slots, nodes } = await agreedLayout(servers);
  const running = servers.filter((each) => each.isRunning());
  const covered = slots.reduce((sum, { from, to }) => sum + to - from + 1, 0);
  if (covered !== 16_384) return `only ${covered} slots have a primary`;
  for (const { port } of slots)
    if (!running.some((each) => each.port === port)) return `the primary on port ${port} is not running`;
  const seen = nodes.filter((each) => !each.isFailing).map(({ port }) => port);
  const missed = running.find(({ port }) => !seen.includes(port));
  if (missed) return `${missed.address} counts as failing`;
  for (const server of running) {
    if (!String(await server.call('CLUSTER', 'INFO')).includes('cluster_state:ok'))
      return `${server.address} reports that the cluster is down`;
    const role = await roleOf(server);
    if (role.name === 'replica' && !role.isInSync) return `${server.address} is not in sync`;
  }
  return undefined;
}
