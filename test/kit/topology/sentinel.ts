/** A primary with replicas, watched by Sentinels: real redis-server processes on loopback. */
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

/** The name under which the Sentinels know the primary. */
const NAME = 'parley';
const HEALTHY_WITHIN_MS = 60_000;
/** An old primary that comes back calls itself a primary until the Sentinels demote it, after 8 to 11 s. */
const FAILED_OVER_WITHIN_MS = 60_000;

export type SentinelOptions = {
  /** Default 2. */
  replicas?: number;
  /** Default 3; more than half of them must agree on a failover. */
  sentinels?: number;
  /** After this time without a reply a server counts as down, in milliseconds. Default 1,000. */
  downAfterMs?: number;
  /** More lines for the configuration of the data servers, such as `min-replicas-to-write`. */
  settings?: Settings;
};

export type SentinelTopology = {
  /** `redis+sentinel://host:port,…/name`, with all Sentinels. */
  url: string;
  /** The name of the primary in the Sentinels. */
  name: string;
  /** The data servers; the first one starts as the primary. */
  servers: Server[];
  sentinels: Server[];
  /**
   * The current primary: most of the running Sentinels name it, and it calls itself one.
   * @throws Error while that is not so, for example during a failover
   */
  primary(): Promise<Server>;
  /** Asks the Sentinels for a planned failover, and waits until another server is the primary. Returns it. */
  failOver(): Promise<Server>;
  /**
   * Waits until all running servers have one primary that the Sentinels agree on, all other running servers are its replicas
   * and in sync, and the running Sentinels see each other.
   * @throws Error with what is missing after `withinMs` (default 60 s)
   */
  healthy(withinMs?: number): Promise<void>;
  /** Kills all processes and removes their directories. */
  end(): Promise<void>;
};

/** Starts the servers and waits until they are healthy: about 3 s. */
export async function startSentinelTopology(options: SentinelOptions = {}): Promise<SentinelTopology> {
  const { replicas = 2, sentinels: count = 3, downAfterMs = 1_000, settings = {} } = options;
  const all: Server[] = [];
  const start = async (howMany: number, each: () => Promise<Server>): Promise<Server[]> => {
    const started = await startAll(Array.from({ length: howMany }, () => each));
    all.push(...started);
    return started;
  };
  try {
    const data = { ...DATA_SETTINGS, ...settings };
    const [first] = await start(1, () => startServer(data));
    const others = await start(replicas, () =>
      startServer({ ...data, replicaof: `127.0.0.1 ${first!.port}` }),
    );
    const watched = sentinelSettings(first!.port, Math.floor(count / 2) + 1, downAfterMs);
    const sentinels = await start(count, () => startServer(watched, ['--sentinel']));
    const topology = assemble([first!, ...others], sentinels);
    await topology.healthy();
    return topology;
  } catch (error) {
    await endAll(all);
    throw error;
  }
}

const sentinelSettings = (port: number, quorum: number, downAfterMs: number): Settings => ({
  sentinel: [
    `monitor ${NAME} 127.0.0.1 ${port} ${quorum}`,
    `down-after-milliseconds ${NAME} ${downAfterMs}`,
    `failover-timeout ${NAME} 5000`,
    `parallel-syncs ${NAME} 8`,
  ],
});

function assemble(servers: Server[], sentinels: Server[]): SentinelTopology {
  const primary = () => primaryOf(servers, sentinels);
  const healthy = (withinMs = HEALTHY_WITHIN_MS) =>
    waitUntil('the topology is healthy', () => obstacleOf(servers, sentinels), withinMs);
  return {
    url: `redis+sentinel://${sentinels.map(({ address }) => address).join(',')}/${NAME}`,
    name: NAME,
    servers,
    sentinels,
    primary,
    failOver: async () => {
      const before = await primary();
      await requestFailover(sentinels);
      const isChanged = async () =>
        (await primary()) === before ? 'the primary is still the same' : undefined;
      await waitUntil('another server is the primary', isChanged, FAILED_OVER_WITHIN_MS);
      return primary();
    },
    healthy,
    end: () => endAll([...servers, ...sentinels]),
  };
}

/** A Sentinel refuses (NOGOODSLAVE) until it has seen a replica in sync, so the request is repeated. */
async function requestFailover(sentinels: Server[]): Promise<void> {
  const [sentinel] = sentinels.filter((each) => each.isRunning());
  if (!sentinel) throw new Error('No Sentinel is running.');
  const request = async () => void (await sentinel.call('SENTINEL', 'FAILOVER', NAME));
  await waitUntil('a Sentinel accepts the failover', request, FAILED_OVER_WITHIN_MS);
}

async function primaryOf(servers: Server[], sentinels: Server[]): Promise<Server> {
  const running = sentinels.filter((each) => each.isRunning());
  const ports = await Promise.all(
    running.map(async (each) => {
      const reply = (await each.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as [string, string];
      return Number(reply[1]);
    }),
  );
  const named = servers.find(({ port }) => ports.filter((each) => each === port).length > running.length / 2);
  if (!named) throw new Error(`the Sentinels name different primaries: ${ports.join(', ')}`);
  if ((await roleOf(named)).name !== 'primary') throw new Error(`${named.address} is not a primary yet`);
  return named;
}

async function obstacleOf(servers: Server[], sentinels: Server[]): Promise<string | undefined> {
  const primary = await primaryOf(servers, sentinels);
  for (const server of servers.filter((each) => each !== primary && each.isRunning())) {
    const role = await roleOf(server);
    if (role.name === 'primary') return `${server.address} calls itself a primary too`;
    if (role.primaryPort !== primary.port) return `${server.address} follows another server`;
    if (!role.isInSync) return `${server.address} is not in sync`;
  }
  const replicas = servers.filter((each) => each !== primary && each.isRunning()).length;
  for (const sentinel of sentinels.filter((each) => each.isRunning())) {
    const seen = await sightOf(sentinel);
    if (seen.sentinels < sentinels.filter((each) => each.isRunning()).length - 1)
      return `the Sentinel ${sentinel.address} does not know all others`;
    if (seen.replicas < replicas) return `the Sentinel ${sentinel.address} does not know all replicas`;
  }
  return undefined;
}

/** How many usable replicas and other Sentinels a Sentinel sees. */
async function sightOf(sentinel: Server): Promise<{ replicas: number; sentinels: number }> {
  const [replicas, sentinels] = await Promise.all([
    sentinel.call('SENTINEL', 'REPLICAS', NAME),
    sentinel.call('SENTINEL', 'SENTINELS', NAME),
  ]);
  return { replicas: countUp(replicas), sentinels: countUp(sentinels) };
}

/** Entries whose flags name no fault. Each is a flat list of names and values. */
function countUp(reply: unknown): number {
  return (reply as string[][]).filter((entry) => {
    const flags = entry[entry.indexOf('flags') + 1] ?? '';
    return !/down|disconnected/.test(flags);
  }).length;
}
