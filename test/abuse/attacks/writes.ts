/** Attacks with writes: they must not exhaust storage or push out other users' messages. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type AttackContext, BIG, loop, type Seed } from '../attack.ts';
import { type Client, createClient } from '../client.ts';
import type { Stage } from '../stage.ts';

const COLLUDING = 20;
const MAILBOX = 200;

async function usedMegabytes(stage: Stage): Promise<number> {
  const info = await stage.redis.admin.info('memory');
  return Number(/used_memory:(\d+)/.exec(info)?.[1]) / 1e6;
}

export const writes: Attack[] = [
  {
    name: 'flood',
    what: '20 accounts send one another 16 KB messages as fast as the limits allow',
    prepare: async (stage) => ({
      people: await stage.people(COLLUDING, 'mallory'),
      usedMegabytes: await usedMegabytes(stage),
    }),
    run: (context) => {
      const { people } = context.seed;
      const { call } = context.client();
      return loop(context, 2 * COLLUDING, async (index) => {
        const [from, to] = [people[index % COLLUDING]!, people[(index + 1) % COLLUDING]!];
        const request = { token: from.token, body: { text: BIG } };
        const { status } = await call('POST', `/v1/dm/${to.username}`, request);
        if (status !== 201) await sleep(20);
        return status;
      });
    },
  },
  {
    name: 'crowd-out',
    what: '20 strangers fill a mailbox that holds a friend’s messages',
    env: { INBOX_LIMIT: String(MAILBOX) },
    helperEnv: { INBOX_LIMIT: String(MAILBOX) },
    prepare: async (stage) => {
      const people = await stage.people(COLLUDING, 'mallory');
      const [owner, friend] = await stage.people(2, 'owner');
      const send = (from: typeof owner, to: typeof owner, text: string) =>
        stage.helper.call('POST', `/v1/dm/${to!.username}`, { token: from!.token, body: { text } });
      await send(owner, friend, 'hello, friend');
      for (let index = 0; index < 10; index += 1) await send(friend, owner, `from a friend ${index}`);
      return { people, owner: owner! };
    },
    run: (context) => {
      const { people } = context.seed;
      const clients = people.map((_, index) => context.client(index + 1));
      return loop(context, COLLUDING, async (index) => {
        const request = { token: people[index]!.token, body: { text: `spam ${index}` } };
        const { status } = await clients[index]!.call('POST', '/v1/dm/owner0', request);
        if (status !== 201) await sleep(50);
        return status;
      });
    },
    after: async (stage, seed) => {
      const { token } = seed['owner'] as { token: string };
      const texts: string[] = [];
      let path = '/v1/mailbox?limit=1000';
      for (;;) {
        const { body } = await stage.helper.call('GET', path, { token });
        texts.push(...body.messages.map((each: { text: string }) => each.text));
        if (!body.hasMore || body.messages.length === 0) break;
        path = `/v1/mailbox?limit=1000&after=${body.messages.at(-1)!.id}`;
      }
      const remaining = texts.filter((text) => text.startsWith('from a friend')).length;
      return remaining === 10 ? [] : [`strangers pushed out ${10 - remaining} of 10 messages of a friend`];
    },
  },
  {
    name: 'small-writes',
    what: '32 connections change their display name and request tickets',
    prepare: async (stage) => ({ people: await stage.people(1, 'mallory') }),
    run: (context) => {
      const { token } = context.seed.people[0]!;
      const { call } = context.client();
      let round = 0;
      return loop(context, 32, async (index) => {
        round += 1;
        const { status } =
          index % 2
            ? await call('PATCH', '/v1/me', { token, body: { displayName: `Mallory ${round}` } })
            : await call('POST', '/v1/events/ticket', { token });
        return status;
      });
    },
  },
  {
    name: 'burst',
    what: '20 accounts of one network each send 50 broadcasts of 16 KB at once to 300 streams, 100 of which do not read',
    prepare: burstSeed,
    run: (context) => {
      const client = context.client();
      return burst(context, () => client);
    },
  },
  {
    name: 'burst-networks',
    what: 'the same from 20 networks, on 1,000 connections that open in the same moment',
    // Node accepts all connections that wait in one turn of the event loop, 70 to 90 µs each.
    maxRatio: 10,
    prepare: burstSeed,
    run: (context) => burst(context, (index) => context.client(index + 1, 50)),
  },
];

async function burstSeed(stage: Stage): Promise<Seed> {
  const people = await stage.people(COLLUDING, 'mallory');
  return { people, listeners: await stage.people(20, 'listener') };
}

/** `clientOf`: the client of the sender with this index. */
async function burst(context: AttackContext, clientOf: (index: number) => Client): Promise<string> {
  const { people } = context.seed;
  const listeners = context.seed['listeners'] as typeof people;
  const sockets = Array.from({ length: 300 }, (_, index) => {
    const { connect, bytesOf } = createClient(context.base, `127.0.5.${(index % 20) + 1}`);
    const socket = connect();
    socket.write(bytesOf('/v1/events', listeners[index % 20]!.token));
    if (index % 3 === 0) socket.pause();
    else socket.on('data', () => {});
    return socket;
  });
  await sleep(1_500);
  const answers = await Promise.all(
    people.flatMap(({ token }, index) => {
      const { call } = clientOf(index);
      return Array.from({ length: 50 }, () => call('POST', '/v1/broadcasts', { token, body: { text: BIG } }));
    }),
  );
  while (!context.isOver()) await sleep(100);
  for (const socket of sockets) socket.destroy();
  const counts = new Map<number | string, number>();
  for (const { status } of answers) counts.set(status, (counts.get(status) ?? 0) + 1);
  return [...counts].map(([status, count]) => `${count} × ${status}`).join(', ');
}
