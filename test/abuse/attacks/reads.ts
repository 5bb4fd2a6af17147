/** Attacks with reads that are cheap to request and expensive to serve. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, type AttackContext, BIG, loop, type Seed, sendMany } from '../attack.ts';
import type { Stage } from '../stage.ts';

const MESSAGES = 2_000;
const PAGE = '/v1/broadcasts?limit=1000';

async function bigLogs(stage: Stage): Promise<Seed> {
  const [mallory, friend] = await stage.people(2, 'mallory');
  await sendMany(stage, MESSAGES / 2, '/v1/broadcasts', friend!.token, BIG);
  return { people: [mallory!], friend: friend! };
}

async function bigInbox(stage: Stage): Promise<Seed> {
  const [mallory, friend] = await stage.people(2, 'mallory');
  await sendMany(stage, MESSAGES, `/v1/dm/${mallory!.username}`, friend!.token, BIG);
  return { people: [mallory!] };
}

/** An inbox with one unread message, followed only by copies of messages that the account itself sent. */
async function ownCopies(stage: Stage): Promise<Seed> {
  const [mallory, friend] = await stage.people(2, 'mallory');
  await sendMany(stage, 1, `/v1/dm/${mallory!.username}`, friend!.token, 'unread');
  await sendMany(stage, 4 * MESSAGES, `/v1/dm/${friend!.username}`, mallory!.token, 'x');
  return { people: [mallory!] };
}

const tokenOf = ({ seed }: AttackContext): string => seed.people[0]!.token;

const repeat = (path: string, workers: number) => (context: AttackContext) => {
  const { call } = context.client();
  return loop(context, workers, async () => (await call('GET', path, { token: tokenOf(context) })).status);
};

export const reads: Attack[] = [
  { name: 'page', what: '4 connections request 16 MB of broadcasts', prepare: bigLogs, run: repeat(PAGE, 4) },
  {
    name: 'list',
    what: '16 connections list conversations of a full inbox',
    prepare: bigInbox,
    run: repeat('/v1/dm?limit=1', 16),
  },
  {
    name: 'scan',
    what: '8 connections request a mailbox behind thousands of own copies',
    prepare: ownCopies,
    run: repeat('/v1/mailbox?limit=1', 8),
  },
  {
    name: 'hang-up',
    what: '16 connections request the same mailbox and disconnect after 5 ms',
    prepare: ownCopies,
    run: (context) => {
      const { connect, bytesOf } = context.client();
      return loop(context, 16, async () => {
        const socket = connect();
        socket.write(bytesOf('/v1/mailbox?limit=1', tokenOf(context)));
        await sleep(5);
        socket.destroy();
        return 'disconnected';
      });
    },
  },
  {
    name: 'pipeline',
    what: '2 connections pipeline 80 page requests in one write, repeatedly',
    prepare: bigLogs,
    run: (context) => {
      const { connect, bytesOf } = context.client();
      return loop(context, 2, async () => {
        const socket = connect();
        socket.on('data', () => {}).write(bytesOf(PAGE, tokenOf(context), 80));
        await sleep(1_500);
        socket.destroy();
        return 'sent';
      });
    },
  },
  {
    name: 'hoard',
    what: '60 connections request a page and never read the response',
    prepare: bigLogs,
    run: async (context) => {
      const { connect, bytesOf } = context.client();
      const sockets = Array.from({ length: 60 }, () => {
        const socket = connect();
        socket.pause().write(bytesOf(PAGE, tokenOf(context)));
        return socket;
      });
      while (!context.isOver()) await sleep(100);
      for (const socket of sockets) socket.destroy();
      return '60 held';
    },
  },
  {
    name: 'history',
    what: '16 connections page through a long conversation backwards',
    prepare: bigInbox,
    run: (context) => {
      const { call } = context.client();
      let before = MESSAGES;
      return loop(context, 16, async () => {
        before = before > 100 ? before - 50 : MESSAGES;
        const path = `/v1/dm/mallory1?limit=1000&before=${before}`;
        return (await call('GET', path, { token: tokenOf(context) })).status;
      });
    },
  },
  {
    name: 'online',
    what: '32 connections list online users and look up profiles',
    prepare: async (stage) => ({ people: await stage.people(4, 'mallory') }),
    run: (context) => {
      const { call } = context.client();
      return loop(context, 32, async (index) => {
        const path = index % 2 ? '/v1/online?limit=1000' : `/v1/users/mallory${index % 4}`;
        return (await call('GET', path, { token: tokenOf(context) })).status;
      });
    },
  },
];
