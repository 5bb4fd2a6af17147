/** Attacks with connections, streams and malformed or slow requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, BIG, loop, sendMany } from '../attack.ts';
import { createClient } from '../client.ts';

/** 64 KB of unknown fields. */
const FIELDS = `{${Array.from({ length: 8_200 }, (_, index) => `"${index.toString(36)}":0`).join(',')}}`;
const CLOSED_WITHIN_S = 17;

const oneAccount: Attack['prepare'] = async (stage) => ({ people: await stage.people(1, 'mallory') });

export const connections: Attack[] = [
  {
    name: 'reopen',
    what: '16 connections open a stream with a full mailbox, read 300 KB and close it',
    prepare: async (stage) => {
      const [mallory, friend] = await stage.people(2, 'mallory');
      await sendMany(stage, 2_000, `/v1/dm/${mallory!.username}`, friend!.token, BIG);
      return { people: [mallory!] };
    },
    run: (context) => {
      const { connect, bytesOf } = context.client();
      return loop(context, 16, async () => {
        const socket = connect();
        socket.write(bytesOf('/v1/events', context.seed.people[0]!.token));
        let received = 0;
        const closed = new Promise((resolve) => socket.on('close', resolve));
        socket.on('data', (chunk: Buffer) => {
          received += chunk.length;
          if (received > 300_000) socket.destroy();
        });
        const timeout = setTimeout(() => socket.destroy(), 3_000);
        await closed;
        clearTimeout(timeout);
        return received > 300_000 ? 'read' : 'rejected';
      });
    },
  },
  {
    name: 'flap',
    what: '16 connections open and close streams as fast as they can',
    prepare: oneAccount,
    run: (context) => {
      const { connect, bytesOf } = context.client();
      return loop(context, 16, async () => {
        const socket = connect();
        socket.write(bytesOf('/v1/events', context.seed.people[0]!.token));
        await new Promise((resolve) => {
          socket.once('data', resolve).once('close', resolve);
          setTimeout(resolve, 1_000);
        });
        socket.destroy();
        return 'opened';
      });
    },
  },
  {
    name: 'errors',
    what: '16 connections send 64 KB of unknown fields, without a token',
    prepare: oneAccount,
    run: (context) => {
      const { call } = context.client();
      return loop(context, 16, async () => (await call('POST', '/v1/login', { body: FIELDS })).status);
    },
  },
  {
    name: 'nowhere',
    what: '32 connections request long paths that do not exist',
    prepare: oneAccount,
    run: (context) => {
      const { call } = context.client();
      const path = `/v1/${'x'.repeat(12_000)}`;
      return loop(context, 32, async () => (await call('GET', path)).status);
    },
  },
  {
    name: 'descriptors',
    what: 'holds 2,000 connections open on a node with a limit of 512 open files',
    openFiles: 512,
    prepare: oneAccount,
    run: async (context) => {
      const { connect, bytesOf } = context.client();
      const sockets = Array.from({ length: 2_000 }, () => {
        const socket = connect();
        socket.on('data', () => {}).write(bytesOf('/livez', 'x'));
        return socket;
      });
      while (!context.isOver()) await sleep(100);
      const open = sockets.filter((socket) => !socket.destroyed && socket.readyState === 'open').length;
      for (const socket of sockets) socket.destroy();
      return `${open} still open at the end`;
    },
    during: async (stage) => {
      await sleep(1_000);
      const client = createClient(stage.url, '127.0.6.1');
      const { status } = await client.call('GET', '/livez');
      client.close();
      return status === 200 ? [] : [`a new client could not connect: ${status}`];
    },
  },
  {
    name: 'slow',
    what: '300 clients send nothing, one header every 2 s, or one byte of a body every 2 s',
    prepare: oneAccount,
    run: (context) => runSlowly(context.client()),
  },
];

/** Runs longer than other attacks: until the server has closed all connections, or should have. */
async function runSlowly({ connect }: ReturnType<typeof createClient>): Promise<string> {
  const startedAt = performance.now();
  let closed = 0;
  let lastMs = 0;
  const sockets = Array.from({ length: 300 }, (_, index) => {
    const socket = connect();
    const kind = index % 3;
    if (kind === 1) socket.write('GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n');
    if (kind === 2)
      socket.write(
        'POST /v1/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n{',
      );
    const drip = setInterval(() => kind > 0 && socket.write(kind === 1 ? 'X-A: b\r\n' : ' '), 2_000);
    socket.resume().on('close', () => {
      clearInterval(drip);
      closed += 1;
      lastMs = performance.now() - startedAt;
    });
    return socket;
  });
  while (closed < sockets.length && performance.now() - startedAt < CLOSED_WITHIN_S * 1_000) await sleep(100);
  for (const socket of sockets) socket.destroy();
  return `${closed} of ${sockets.length} closed by the server, the last after ${(lastMs / 1_000).toFixed(1)} s`;
}
