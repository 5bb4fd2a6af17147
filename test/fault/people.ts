/** The users of a run: accounts with one or two devices, and their continuous activity. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import type { Ack, Note, Send } from './history.ts';
import { online } from './inspect.ts';
import { until } from './processes.ts';
import type { Random } from './random.ts';
import { type Reader, startReader } from './reader.ts';
import { openSession, register, type Session } from './session.ts';
import { createWatch } from './watch.ts';
import { type NewMessage, send } from './writer.ts';

export type Crowd = {
  accounts: number;
  /** Number of accounts with two devices. */
  withTwo: number;
  writers: number;
};
export const CROWD: Crowd = { accounts: 80, withTwo: 20, writers: 24 };

export type People = Awaited<ReturnType<typeof gather>>;

const OPEN_WITHIN_MS = 20_000;
const WRITE_EVERY_MS: [number, number] = [200, 800];
const BROADCAST_SHARE = 0.3;
const KEYLESS_SHARE = 0.1;
/** These accounts get half of all direct messages, so that some conversations become long. */
const POPULAR = 8;
/** Number of accounts that acknowledge; the mailboxes of the others fill up. */
const TIDY = 12;
/** One in this many devices watches presence. */
const WATCH_EVERY = 10;
const ACK_EVERY_MS = 700;
const REST_EVERY_MS = 600;
/** From shorter to longer than the grace period of presence. */
const REST_MS: [number, number] = [500, 6_500];
const RETRY_MS = 250;
const FLOOD_CONCURRENCY = 8;

/** Registers and logs in all users; no streams are open yet. */
export async function gather(options: { client: Client; random: Random; now: () => number; crowd: Crowd }) {
  const { client, random, now, crowd } = options;
  const names = Array.from({ length: crowd.accounts }, (_, index) => `user${index}`);
  /** Sessions and tokens that the server no longer accepted. */
  const ended: Note[] = [];
  const open = (username: string) => openSession(client, username, (note) => ended.push(note));
  const sessions = await Promise.all(names.map(open));
  const others = await Promise.all(names.slice(0, crowd.withTwo).map(open));
  // Every other writer uses the session of its reader, which must therefore not receive the message.
  const writing = await Promise.all(
    sessions.slice(0, crowd.writers).map((session, index) => (index % 2 ? session : open(session.username))),
  );
  const readers: Reader[] = [];
  const sends: Send[] = [];
  const acks: Ack[] = [];
  let [isBusy, isOver] = [true, false];
  let floods = 0;

  async function post(session: Session, message: NewMessage): Promise<void> {
    sends.push(await send({ client, session, now, isOver: () => isOver }, message));
  }

  async function write(session: Session, index: number, mine: Random): Promise<void> {
    for (let count = 0; isBusy; count += 1) {
      const text = `w${index}-${count}`;
      const to = mine.pick(mine.share() < 0.5 ? names.slice(0, POPULAR) : names);
      const isBroadcast = mine.share() < BROADCAST_SHARE || to === session.username;
      const isKeyless = mine.share() < KEYLESS_SHARE;
      const kind = isBroadcast ? 'broadcast' : 'dm';
      await post(session, { kind, text, isKeyless, ...(!isBroadcast && { to }) });
      await sleep(mine.between(...WRITE_EVERY_MS));
    }
  }

  async function acknowledge(mine: Random): Promise<void> {
    while (isBusy) {
      const reader = readers[mine.between(0, TIDY - 1)]!;
      if (reader.newest) acks.push(await acknowledgeUpTo(reader.newest, reader.session));
      await sleep(ACK_EVERY_MS);
    }
  }

  async function acknowledgeUpTo(id: string, session: Session): Promise<Ack> {
    const atMs = now();
    for (;;) {
      const { status } = await client
        .request('POST', '/v1/mailbox/ack', { token: session.token, body: { upTo: id } })
        .catch(() => ({ status: 0 }));
      if (status === 401) await session.renew().catch(() => {});
      else if (isOver || (status >= 200 && status < 500))
        return { username: session.username, id, atMs, isAccepted: status === 200 };
      else await sleep(RETRY_MS);
    }
  }

  /** Readers disconnect and reconnect at random during the whole run. */
  async function rest(mine: Random): Promise<void> {
    while (isBusy) {
      await sleep(REST_EVERY_MS);
      mine.pick(readers).rest(mine.between(...REST_MS));
    }
  }

  let busy: Promise<unknown> = Promise.resolve();
  return {
    names,
    sessions,
    readers,
    sends,
    acks,
    ended,

    /** Opens all streams. */
    async listen(): Promise<void> {
      for (const [device, all] of [sessions, others].entries())
        for (const [index, session] of all.entries()) {
          const fetchList = () => online(client, session, client.target());
          const watch = index % WATCH_EVERY === 0 ? createWatch(fetchList) : undefined;
          readers.push(startReader({ client, session, now, name: `${session.username}/${device}`, watch }));
        }
      if (!(await until(() => readers.every((reader) => reader.isOpen()), OPEN_WITHIN_MS)))
        throw new Error('the readers could not open their streams');
    },

    begin(): void {
      busy = Promise.all([
        ...writing.map((session, index) => write(session, index, random.fork())),
        acknowledge(random.fork()),
        rest(random.fork()),
      ]);
    },

    /** Starts nothing new and waits for pending sends. Returns whether all readers reconnected in time. */
    async finish(withinMs: number): Promise<boolean> {
      isBusy = false;
      const timeout = setTimeout(() => {
        isOver = true;
      }, withinMs);
      await busy;
      clearTimeout(timeout);
      const disconnected = new Set(readers);
      return until(() => {
        for (const reader of disconnected) if (reader.isOpen()) disconnected.delete(reader);
        return disconnected.size === 0; // it is enough that each was open once: some end all the time
      }, withinMs);
    },

    /** Sends many large broadcasts in addition to the regular traffic. */
    async flood(count: number, bytes: number): Promise<void> {
      floods += 1;
      const texts = Array.from({ length: count }, (_, index) => `flood${floods}-${index}`);
      const worker = async () => {
        for (let text = texts.pop(); text; text = texts.pop())
          await post(sessions[0]!, { kind: 'broadcast', text, padding: '~'.repeat(bytes) });
      };
      await Promise.all(Array.from({ length: FLOOD_CONCURRENCY }, worker));
    },

    /** Registers accounts again after a loss of data. */
    async registerAgain(): Promise<void> {
      await Promise.all(names.map((username) => register(client, username)));
    },
  };
}
