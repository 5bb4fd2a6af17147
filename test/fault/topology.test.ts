/** The kit for topologies of real Redis servers does what its functions promise. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isAlive } from '../kit/process.ts';
import { type ClusterTopology, startClusterTopology } from '../kit/topology/cluster.ts';
import { layoutFrom } from '../kit/topology/cluster-nodes.ts';
import { type SentinelTopology, startSentinelTopology } from '../kit/topology/sentinel.ts';
import { roleOf } from '../kit/topology/server.ts';

describe('Sentinel', () => {
  let topology: SentinelTopology;
  beforeAll(async () => {
    topology = await startSentinelTopology();
  });
  afterAll(() => topology?.end());

  test('starts a primary with two replicas and three Sentinels', async () => {
    expect(topology.servers).toHaveLength(3);
    expect(topology.sentinels).toHaveLength(3);
    expect(await topology.primary()).toBe(topology.servers[0]);
    expect(await roleOf(topology.servers[1]!)).toEqual({
      name: 'replica',
      primaryPort: topology.servers[0]!.port,
      isInSync: true,
    });
  });

  test('a planned failover makes a replica the primary, with the data', async () => {
    const before = await topology.primary();
    await before.call('SET', 'planned', 'stored');
    const after = await topology.failOver();
    expect(after).not.toBe(before);
    expect(await after.call('GET', 'planned')).toBe('stored');
    await topology.healthy();
    expect((await roleOf(before)).name).toBe('replica');
  });

  test('a killed primary is replaced, and is a replica of the new one after a restart', async () => {
    const killed = await topology.primary();
    await killed.call('SET', 'unplanned', 'stored');
    await killed.call('WAIT', 2, 1_000);
    await killed.kill();
    expect(killed.isAlive()).toBe(false);
    await topology.healthy();
    const after = await topology.primary();
    expect(after).not.toBe(killed);
    expect(await after.call('GET', 'unplanned')).toBe('stored');
    await killed.restart();
    await topology.healthy();
    expect((await roleOf(killed)).name).toBe('replica');
  });

  test('a stopped replica does not reply, and is in sync again after it continues', async () => {
    const primary = await topology.primary();
    const stopped = topology.servers.find((each) => each !== primary)!;
    stopped.stop();
    await expect(stopped.call('PING')).rejects.toThrow();
    expect(stopped.isAlive()).toBe(true);
    stopped.continue();
    await topology.healthy();
    expect(await stopped.call('PING')).toBe('PONG');
  });

  test('reports what is missing', async () => {
    for (const sentinel of topology.sentinels) sentinel.stop();
    await expect(topology.healthy(200)).rejects.toThrow('the Sentinels name different primaries');
    for (const sentinel of topology.sentinels) sentinel.continue();
    await topology.healthy();
  });
});

describe('Cluster', () => {
  let topology: ClusterTopology;
  beforeAll(async () => {
    topology = await startClusterTopology();
  });
  afterAll(() => topology?.end());

  test('starts three primaries that share all slots, each with a replica', async () => {
    const primaries = await topology.primaries();
    expect(primaries).toEqual(topology.servers.slice(0, 3));
    for (const primary of primaries) expect(await topology.replicasOf(primary)).toHaveLength(1);
    expect(await topology.primaryOf('foo')).toBe(topology.servers[2]); // slot 12,182
  });

  test('a planned failover makes the replica the primary of the slots', async () => {
    const before = await topology.primaryOf('foo');
    await before.call('SET', 'foo', 'stored');
    const after = await topology.failOver(before);
    await topology.healthy();
    expect(await topology.primaryOf('foo')).toBe(after);
    expect(await topology.replicasOf(after)).toEqual([before]);
    expect(await after.call('GET', 'foo')).toBe('stored');
  });

  test('a killed primary is replaced; the others keep their slots; it comes back as a replica', async () => {
    const [killed, ...others] = await topology.primaries();
    const [replica] = await topology.replicasOf(killed!);
    await killed!.kill();
    await topology.healthy();
    expect(new Set(await topology.primaries())).toEqual(new Set([replica, ...others]));
    await killed!.restart();
    await topology.healthy();
    expect((await roleOf(killed!)).name).toBe('replica');
  });

  test('a stopped primary is replaced, and rejoins when it continues', async () => {
    const stopped = await topology.primaryOf('foo');
    stopped.stop();
    await topology.healthy();
    expect(await topology.primaryOf('foo')).not.toBe(stopped);
    stopped.continue();
    await topology.healthy();
    expect((await roleOf(stopped)).name).toBe('replica');
  });
});

test('a cluster may have other numbers of primaries and replicas; nothing is left when it has ended', async () => {
  const topology = await startClusterTopology({ primaries: 4, replicas: 0 });
  expect(await topology.primaries()).toHaveLength(4);
  const pids = await Promise.all(
    topology.servers.map(async (each) =>
      Number(/process_id:(\d+)/.exec(String(await each.call('INFO')))?.[1]),
    ),
  );
  expect(pids.every(isAlive)).toBe(true);
  topology.servers[0]!.stop();
  await topology.end();
  expect(pids.some(isAlive)).toBe(false);
});

test('slots that are on the move and nodes in handshake are not part of the layout', () => {
  const reply = [
    'a 127.0.0.1:1@11 myself,master - 0 0 1 connected 0-5 7 [9->-b]',
    'b 127.0.0.1:2@12 slave,fail a 0 0 1 disconnected',
    'c 127.0.0.1:3@13 handshake - 0 0 0 connected',
  ].join('\n');
  expect(layoutFrom(reply)).toEqual({
    slots: [
      { from: 0, to: 5, port: 1 },
      { from: 7, to: 7, port: 1 },
    ],
    nodes: [
      { port: 1, primaryPort: undefined, isFailing: false },
      { port: 2, primaryPort: 1, isFailing: true },
    ],
  });
});
