/** A node on a primary that Sentinels watch: it follows the primary through planned and unplanned failovers. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { encodeId } from '../../../src/store/log/entry.ts';
import { createKeys } from '../../../src/store/redis/keys.ts';
import { listen, type Person, person, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { send } from '../../kit/http.ts';
import { sentinelTopology } from '../../kit/servers.ts';
import type { SentinelTopology } from '../../kit/topology/sentinel.ts';
import type { Server } from '../../kit/topology/server.ts';

/** Sends may be rejected for this long after a replica has become the primary, in milliseconds. */
const BACK_WITHIN_MS = 2_000;

async function pair(node: TestNode): Promise<[Person, Person]> {
  return [await person(node, 'alice'), await person(node, 'bob')];
}

const connectionsOf = async (server: Server): Promise<string[]> =>
  [...String(await server.call('CLIENT', 'LIST')).matchAll(/ name=parley:(\w+) /g)]
    .map(([, name]) => name!)
    .sort();

const isReady = (node: TestNode) => send(node, 'GET', '/readyz').then(({ status }) => status === 200);

/** Resolves when a server other than `before` calls itself the primary, with the time. */
async function promotion(topology: SentinelTopology, before: Server): Promise<number> {
  for (;;) {
    for (const server of topology.servers.filter((each) => each !== before)) {
      const role = (await server.call('ROLE').catch(() => [])) as string[];
      if (role[0] === 'master') return performance.now();
    }
    await sleep(10);
  }
}

/** Resolves with the time of the first accepted send. */
async function acceptedSend(from: Person, text: string): Promise<number> {
  for (;;) {
    if ((await tell(from, 'bob', text)).status === 201) return performance.now();
    await sleep(20);
  }
}

test('a planned failover: sends are accepted 2 s after it, all connections move, and streams go on', async () => {
  const topology = await sentinelTopology({ settings: { 'min-replicas-to-write': 1 } });
  const node = await startNode({}, { redisUrl: topology.url, prefix: 'parley:' });
  const [alice, bob] = await pair(node);
  const stream = await listen(bob);
  const before = await topology.primary();
  expect(await connectionsOf(before)).toEqual(['bulk', 'commands', 'subscriber']);
  const promoted = promotion(topology, before);
  const after = await topology.failOver();
  const promotedAt = await promoted;
  const acceptedAt = await acceptedSend(alice, 'after the failover');
  expect(acceptedAt - promotedAt).toBeLessThan(BACK_WITHIN_MS);
  await until('all connections have moved', async () => (await connectionsOf(after)).length === 3, 10_000);
  expect(await connectionsOf(before)).toEqual([]);
  expect((await stream.next('dm')).data).toMatchObject({ text: 'after the failover' });
  await until('it is ready', () => isReady(node), 5_000);
});

test('a killed primary: readiness fails, and sends are accepted 2 s after the promotion', async () => {
  const topology = await sentinelTopology();
  const redisUrl = topology.url.replace('://', '://unknown.invalid,'); // a Sentinel that cannot be found is no obstacle
  const node = await startNode({}, { redisUrl, prefix: 'parley:' });
  const [alice, bob] = await pair(node);
  const stream = await listen(bob);
  const before = await topology.primary();
  await before.kill();
  const promoted = promotion(topology, before);
  await until('readiness fails', async () => !(await isReady(node)), 3_000);
  const acceptedAt = await acceptedSend(alice, 'after the kill');
  expect(acceptedAt - (await promoted)).toBeLessThan(BACK_WITHIN_MS);
  await until('it is ready', () => isReady(node), 5_000);
  expect((await stream.next('dm')).data).toMatchObject({ text: 'after the kill' });
});

test('without Sentinels nothing changes while the primary lives, and a lost announcement is made up for', async () => {
  const topology = await sentinelTopology();
  const node = await startNode({}, { redisUrl: topology.url, prefix: 'parley:' });
  const [alice] = await pair(node);
  const before = await topology.primary();
  await Promise.all(topology.sentinels.map((each) => each.kill()));
  await sleep(6_000); // the Sentinels were asked at least once
  expect((await tell(alice, 'bob', 'without Sentinels')).status).toBe(201);
  expect(await isReady(node)).toBe(true);
  // a Sentinel that has not announced the switch to this node: it has a new address when it comes back
  const [second] = topology.servers.filter((each) => each !== before);
  await second!.call('REPLICAOF', 'NO', 'ONE');
  const [sentinel] = topology.sentinels;
  await sentinel!.restart();
  await sentinel!.call('SENTINEL', 'REMOVE', topology.name);
  await sentinel!.call('SENTINEL', 'MONITOR', topology.name, '127.0.0.1', second!.port, 1);
  await until('all connections have moved', async () => (await connectionsOf(second!)).length === 3, 15_000);
});

// The old primary accepts writes until it is made a replica, seconds after the promotion.
test('a planned failover loses next to none of the messages that were acknowledged', async () => {
  const topology = await sentinelTopology();
  const node = await startNode({}, { redisUrl: topology.url, prefix: 'parley:' });
  const [alice] = await pair(node);
  const accepted: string[] = [];
  let isOver = false;
  const sending = (async () => {
    while (!isOver) {
      const { status, body } = await tell(alice, 'bob', 'hello');
      if (status === 201) accepted.push(body.id);
    }
  })();
  await until('messages are accepted', () => accepted.length > 50);
  const after = await topology.failOver();
  const during = accepted.length;
  await until('messages are accepted by the new primary', () => accepted.length > during + 20);
  isOver = true;
  await sending;
  const inbox = String(await after.call('LRANGE', createKeys('parley:', '').inbox('bob').list, 0, -1));
  const lost = accepted.filter((id) => !inbox.includes(encodeId(id)!));
  expect(lost.length).toBeLessThan(accepted.length);
  expect(lost.length).toBeLessThan(10); // 50 to 100 if the node follows the promotion only
});
