/** The users of a run: accounts with one or two devices, and their continuous activity. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client.ts';
import type { Ack, Note, Send } from './history.ts';
import { online } from './inspect.ts';
import { until } from './processes.ts';
import type { Random } from './random.ts';
import { Reader } from './reader.ts';
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

export type PeopleOptions = { client: Client; random: Random; now: () => number; crowd: Crowd };

/** Registers and logs in all users; no streams are open yet. */
export async function gather(options: PeopleOptions): Promise<People> {
  const { client, crowd } = options;
  const names = Array.from({ length: crowd.accounts }, (_, index) => `user${index}`);
  const ended: Note[] = [];
  const open = (username: string) => openSession(client, username, (note) => ended.push(note));
  const sessions = await Promise.all(names.map(open));
  const secondDevices = await Promise.all(names.slice(0, crowd.withTwo).map(open));
  // Every other writer uses the session of its reader, which must therefore not receive the message.
  const writing = await Promise.all(
    sessions.slice(0, crowd.writers).map((session, index) => (index % 2 ? session : open(session.username))),
  );
  return new People(options, { names, ended, sessions, secondDevices, writing });
}

type Sessions = {
  names: string[];
  ended: Note[];
  sessions: Session[];
  secondDevices: Session[];
  writing: Session[];
};

export class People {
  readonly names: string[];
  readonly sessions: Session[];
  readonly readers: Reader[] = [];
  readonly sends: Send[] = [];
  readonly acks: Ack[] = [];
  /** Sessions and tokens that the server no longer accepted. */
  readonly ended: Note[];
  readonly #options: PeopleOptions;
  readonly #secondDevices: Session[];
  readonly #writing: Session[];
  #activity: Promise<unknown> = Promise.resolve();
  #isBusy = true;
  #isOver = false;
  #floods = 0;

  constructor(options: PeopleOptions, { names, ended, sessions, secondDevices, writing }: Sessions) {
    this.#options = options;
    this.names = names;
    this.ended = ended;
    this.sessions = sessions;
    this.#secondDevices = secondDevices;
    this.#writing = writing;
  }

  /** Opens all streams. */
  async listen(): Promise<void> {
    const { client, now } = this.#options;
    for (const [device, all] of [this.sessions, this.#secondDevices].entries())
      for (const [index, session] of all.entries()) {
        const fetchList = () => online(client, session, client.target());
        const watch = index % WATCH_EVERY === 0 ? createWatch(fetchList) : undefined;
        const name = `${session.username}/${device}`;
        this.readers.push(new Reader({ client, session, now, name, watch }));
      }
    if (!(await until(() => this.readers.every((reader) => reader.isOpen()), OPEN_WITHIN_MS)))
      throw new Error('the readers could not open their streams');
  }

  begin(): void {
    const { random } = this.#options;
    this.#activity = Promise.all([
      ...this.#writing.map((session, index) => this.#write(session, index, random.fork())),
      this.#acknowledge(random.fork()),
      this.#disconnectReaders(random.fork()),
    ]);
  }

  /** Starts nothing new and waits for pending sends. Returns whether all readers reconnected in time. */
  async finish(withinMs: number): Promise<boolean> {
    this.#isBusy = false;
    const timeout = setTimeout(() => {
      this.#isOver = true;
    }, withinMs);
    await this.#activity;
    clearTimeout(timeout);
    const disconnected = new Set(this.readers);
    return until(() => {
      for (const reader of disconnected) if (reader.isOpen()) disconnected.delete(reader);
      return disconnected.size === 0; // it is enough that each was open once: some end all the time
    }, withinMs);
  }

  /** Sends many large broadcasts in addition to the regular traffic. */
  async flood(count: number, bytes: number): Promise<void> {
    this.#floods += 1;
    const texts = Array.from({ length: count }, (_, index) => `flood${this.#floods}-${index}`);
    const worker = async () => {
      for (let text = texts.pop(); text; text = texts.pop())
        await this.#send(this.sessions[0]!, { kind: 'broadcast', text, padding: '~'.repeat(bytes) });
    };
    await Promise.all(Array.from({ length: FLOOD_CONCURRENCY }, worker));
  }

  /** Registers accounts again after a loss of data. */
  async registerAgain(): Promise<void> {
    await Promise.all(this.names.map((username) => register(this.#options.client, username)));
  }

  async #send(session: Session, message: NewMessage): Promise<void> {
    const { client, now } = this.#options;
    this.sends.push(await send({ client, session, now, isOver: () => this.#isOver }, message));
  }

  async #write(session: Session, index: number, random: Random): Promise<void> {
    for (let count = 0; this.#isBusy; count += 1) {
      const text = `w${index}-${count}`;
      const to = random.pick(random.share() < 0.5 ? this.names.slice(0, POPULAR) : this.names);
      const isBroadcast = random.share() < BROADCAST_SHARE || to === session.username;
      const isKeyless = random.share() < KEYLESS_SHARE;
      const kind = isBroadcast ? 'broadcast' : 'dm';
      await this.#send(session, { kind, text, isKeyless, ...(!isBroadcast && { to }) });
      await sleep(random.between(...WRITE_EVERY_MS));
    }
  }

  async #acknowledge(random: Random): Promise<void> {
    while (this.#isBusy) {
      const reader = this.readers[random.between(0, TIDY - 1)]!;
      if (reader.newest) this.acks.push(await this.#acknowledgeUpTo(reader.newest, reader.session));
      await sleep(ACK_EVERY_MS);
    }
  }

  async #acknowledgeUpTo(id: string, session: Session): Promise<Ack> {
    const { client, now } = this.#options;
    const atMs = now();
    for (;;) {
      const { status } = await client
        .request('POST', '/v1/mailbox/ack', { token: session.token, body: { upTo: id } })
        .catch(() => ({ status: 0 }));
      if (status === 401) await session.renew().catch(() => {});
      else if (this.#isOver || (status >= 200 && status < 500))
        return { username: session.username, id, atMs, isAccepted: status === 200 };
      else await sleep(RETRY_MS);
    }
  }

  /** Readers disconnect and reconnect at random during the whole run. */
  async #disconnectReaders(random: Random): Promise<void> {
    while (this.#isBusy) {
      await sleep(REST_EVERY_MS);
      random.pick(this.readers).rest(random.between(...REST_MS));
    }
  }
}
