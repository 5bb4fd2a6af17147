/** How a cluster is formed from single servers, and what CLUSTER NODES says about it. */
import { type Server, waitUntil } from './server.ts';

const SLOTS = 16_384;
const MET_WITHIN_MS = 30_000;

export type Layout = {
  /** Ranges of slots with the port of their primary, in ascending order. */
  slots: { from: number; to: number; port: number }[];
  /** In ascending order of ports; `primaryPort` is undefined for primaries. */
  nodes: { port: number; primaryPort: number | undefined; isFailing: boolean }[];
};

/**
 * Forms a cluster: the first `primaries` servers share the slots evenly, the others become their replicas in turn.
 * @throws Error if the servers do not find each other within 30 s
 */
export async function formCluster(servers: Server[], primaries: number): Promise<void> {
  for (const [index, server] of servers.slice(0, primaries).entries()) {
    const from = Math.ceil((SLOTS * index) / primaries);
    const to = Math.ceil((SLOTS * (index + 1)) / primaries) - 1;
    // Different epochs, so that no election is needed when the servers meet.
    await server.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
    await server.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
  }
  const [first, ...others] = servers;
  for (const other of others)
    await first!.call('CLUSTER', 'MEET', '127.0.0.1', other.port, await busPortOf(other));
  await waitUntil('all servers know each other', () => strangerAmong(servers), MET_WITHIN_MS);
  for (const [index, replica] of servers.slice(primaries).entries()) {
    const id = String(await servers[index % primaries]!.call('CLUSTER', 'MYID'));
    await replica.call('CLUSTER', 'REPLICATE', id);
  }
}

async function busPortOf(server: Server): Promise<number> {
  const [, port] = (await server.call('CONFIG', 'GET', 'cluster-port')) as [string, string];
  return Number(port);
}

async function strangerAmong(servers: Server[]): Promise<string | undefined> {
  for (const server of servers) {
    const { nodes } = layoutFrom(String(await server.call('CLUSTER', 'NODES')));
    if (nodes.length < servers.length)
      return `${server.address} knows ${nodes.length} of ${servers.length} servers`;
  }
  return undefined;
}

/** Parses the reply of CLUSTER NODES. Nodes in handshake are left out, and so are slots that are on the move. */
export function layoutFrom(reply: string): Layout {
  const lines = reply.trim().split('\n').map(parseNode);
  const known = lines.filter(({ flags }) => !flags.includes('handshake') && !flags.includes('noaddr'));
  const ports = new Map(known.map(({ id, port }) => [id, port]));
  const slots = known.flatMap(({ port, ranges }) => ranges.map((range) => ({ ...range, port })));
  const nodes = known.map(({ port, primaryId, flags }) => ({
    port,
    primaryPort: ports.get(primaryId),
    isFailing: flags.includes('fail'),
  }));
  return {
    slots: slots.sort((one, other) => one.from - other.from),
    nodes: nodes.sort((one, other) => one.port - other.port),
  };
}

/** One line: id, address, flags, id of the primary, two times, epoch, link state, ranges of slots. */
function parseNode(line: string) {
  const [id = '', address = '', flags = '', primaryId = '', , , , , ...slots] = line.split(' ');
  const ranges = slots
    .filter((each) => !each.startsWith('['))
    .map((each) => each.split('-').map(Number))
    .map(([from = 0, to = from]) => ({ from, to }));
  return { id, port: Number(/:(\d+)@/.exec(address)?.[1]), flags: flags.split(','), primaryId, ranges };
}
