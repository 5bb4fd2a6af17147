/** One run: a world, people who read and write, a fault for some time, then peace, and the history is checked. */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkPresence, checkResources } from './aftermath.ts';
import { isMessage } from './check-reader.ts';
import { type Cost, check, type Verdict } from './checker.ts';
import { type Asked, createClient } from './client.ts';
import { act, faultOf } from './faults.ts';
import type { Ack, History, Kind, Send } from './history.ts';
import { mailboxes, storedLogs } from './inspect.ts';
import { until } from './processes.ts';
import { createRandom } from './random.ts';
import { startReader } from './reader.ts';
import { openSession, type Session } from './session.ts';
import { closeWorld, heal, openWorld, type World } from './world.ts';
import { send } from './writer.ts';

export type RunOptions = { fault: string; seed: number; seconds: number; dist: string };

export type RunResult = {
  fault: string;
  seed: number;
  seconds: number;
  blows: number;
  verdict: Verdict;
  sends: { ok: number; fail: number; unknowns: number };
  deliveries: number;
  /** Ms from a broken stream to the next `ready`, and from Redis' return to a writer's next 201. */
  backMs: number[];
  acceptedMs: number[];
  /** Ms from the start of a send to its arrival. */
  deliveredMs: number[];
  /** After peace: until all had all, until presence was right, until those who left were gone. */
  drainMs: number;
  presenceMs: number;
  goneMs: number;
};

const ACCOUNTS = 80;
/** So many of them listen on two devices. */
const WITH_TWO = 20;
const WRITERS = 24;
const WRITE_EVERY_MS: [number, number] = [200, 800];
const BROADCAST_SHARE = 0.3;
const ACK_EVERY_MS = 700;
const DRAIN_WITHIN_MS = 25_000;
const PROMISED_ANSWER_MS = 5_000;
/** What the machine may add when it is busy. */
const ANSWER_MARGIN_MS = 800;

export async function run({ fault: name, seed, seconds, dist }: RunOptions): Promise<RunResult> {
  const fault = faultOf(name);
  if (!fault) throw new Error(`there is no fault ${name}`);
  const random = createRandom(seed);
  const beganAtMs = performance.now();
  const now = () => performance.now() - beganAtMs;
  const servers = await openWorld({
    dist,
    fsync: fault.fsync ?? 'always',
    ...(fault.folder && { folder: fault.folder() }),
    ...(fault.env && { env: fault.env }),
  });
  const { nodes, redis } = servers;
  const slow: Asked[] = [];
  const client = createClient({
    targets: nodes,
    random: random.fork(),
    asked: (asked) => {
      if (asked.tookMs > PROMISED_ANSWER_MS + ANSWER_MARGIN_MS || asked.status === 500) slow.push(asked);
    },
  });
  try {
    const names = Array.from({ length: ACCOUNTS }, (_, index) => `user${index}`);
    const sessions = await Promise.all(names.map((username) => openSession(client, username)));
    const seconds2 = await Promise.all(
      names.slice(0, WITH_TWO).map((username) => openSession(client, username)),
    );
    const empty = nodes.map((node) => node.resources());
    const readers = [
      ...sessions.map((session) => startReader({ client, session, now, name: `${session.username}/0` })),
      ...seconds2.map((session) => startReader({ client, session, now, name: `${session.username}/1` })),
    ];
    const world: World = { ...servers, readers, now, client, flood: async () => {} };
    if (!(await until(() => readers.every((reader) => reader.isOpen()), 15_000)))
      throw new Error('the readers could not open their streams');

    const sends: Send[] = [];
    const acks: Ack[] = [];
    let [isWriting, isOver] = [true, false];
    const post = async (
      session: Session,
      wanted: { kind: Kind; text: string; to?: string; padding?: string },
    ) => {
      sends.push(await send({ client, session, now, isOver: () => isOver }, wanted));
    };
    let floods = 0;
    world.flood = async (count, bytes) => {
      floods += 1;
      const left = Array.from({ length: count }, (_, index) => `flood${floods}-${index}`);
      const pour = async () => {
        for (let text = left.pop(); text; text = left.pop())
          await post(sessions[0]!, { kind: 'broadcast', text, padding: '~'.repeat(bytes) });
      };
      await Promise.all(Array.from({ length: 8 }, pour));
    };
    const write = async (index: number) => {
      const mine = random.fork();
      // Every other writer sends with the session that also listens, and so must hear no echo.
      const session = index % 2 ? sessions[index]! : await openSession(client, names[index]!);
      for (let count = 0; isWriting; count += 1) {
        const text = `w${index}-${count}`;
        const to = mine.pick(mine.share() < 0.5 ? names.slice(0, 8) : names);
        const isBroadcast = mine.share() < BROADCAST_SHARE || to === session.username;
        await post(session, { kind: isBroadcast ? 'broadcast' : 'dm', text, ...(!isBroadcast && { to }) });
        await sleep(mine.between(...WRITE_EVERY_MS));
      }
    };
    const acknowledge = async () => {
      const mine = random.fork();
      while (isWriting) {
        const reader = readers[mine.between(0, 11)]!;
        const id = reader.newest;
        if (id) acks.push(await acknowledgeUpTo(id, reader.session));
        await sleep(ACK_EVERY_MS);
      }
    };
    const acknowledgeUpTo = async (id: string, session: Session): Promise<Ack> => {
      const atMs = now();
      for (;;) {
        const { status } = await client
          .ask('POST', '/v1/mailbox/ack', { token: session.token, body: { upTo: id } })
          .catch(() => ({ status: 0 }));
        if (status === 401) await session.renew().catch(() => {});
        if (isOver || (status >= 200 && status < 500 && status !== 401))
          return { username: session.username, id, atMs, isTaken: status === 200 };
        if (status !== 401) await sleep(250);
      }
    };
    const people = Promise.all([
      ...Array.from({ length: WRITERS }, (_, index) => write(index)),
      acknowledge(),
    ]);

    const blows = await act(fault, world, random.fork(), AbortSignal.timeout(seconds * 1_000));
    await heal(servers);
    const healedAtMs = performance.now();
    isWriting = false;
    const late = setTimeout(() => {
      isOver = true;
    }, DRAIN_WITHIN_MS);
    await people;
    clearTimeout(late);
    await until(() => readers.every((reader) => reader.isOpen()), 10_000);

    const cost: Cost = fault.cost ?? {};
    const history: History = {
      ...{ sends, acks, readers: readers.map((reader) => reader.history) },
      stored: await storedLogs(client, sessions),
      mailboxes: new Map(),
      notes: [],
    };
    const isWhole = () =>
      check(history, cost).violations.every(
        ({ rule }) => rule !== 'nothing lost' && rule !== 'a loss is told',
      );
    await until(isWhole, DRAIN_WITHIN_MS);
    const drainMs = performance.now() - healedAtMs;
    const presence = await checkPresence({ readers, client, nodes, healedAtMs });
    history.mailboxes = await mailboxes(client, sessions);
    history.notes.push(...presence.notes, ...notesOf(slow, nodes, redis, beganAtMs));
    const gone = await checkPresence({
      readers,
      client,
      nodes,
      leave: random.some(readers, readers.length / 3),
    });
    history.notes.push(
      ...gone.notes,
      ...(await checkResources({ readers, nodes, redis, client, empty, history, sessions })),
    );

    const verdict = check(history, cost);
    const messages = new Map(sends.map((each) => [each.text, each.startedAtMs]));
    const events = history.readers.flatMap((reader) => reader.events);
    const arrivals = events.filter(isMessage);
    return {
      ...{
        fault: name,
        seed,
        seconds,
        blows,
        verdict,
        drainMs,
        presenceMs: presence.tookMs,
        goneMs: gone.tookMs,
      },
      sends: {
        ok: sends.filter(({ outcome }) => outcome === 'ok').length,
        fail: sends.filter(({ outcome }) => outcome === 'fail').length,
        unknowns: sends.reduce((sum, each) => sum + each.unknowns, 0),
      },
      deliveries: arrivals.length,
      backMs: history.readers.flatMap(({ breaks }) => breaks.map(({ atMs, backAtMs }) => backAtMs - atMs)),
      acceptedMs: acceptedAgain(
        sends,
        redis.backAtMs.slice(1).map((atMs) => atMs - beganAtMs),
      ),
      deliveredMs: arrivals.map((event) => event.atMs - (messages.get(event.text) ?? event.atMs)),
    };
  } finally {
    await closeWorld(servers);
  }
}

/** For each time that Redis came back, and each who sends: when the first 201 came. */
function acceptedAgain(sends: Send[], backs: number[]): number[] {
  const took: number[] = [];
  for (const [index, back] of backs.entries()) {
    const first = new Map<string, number>();
    for (const { outcome, endedAtMs, from } of sends) {
      if (outcome !== 'ok' || endedAtMs < back || endedAtMs > (backs[index + 1] ?? Number.POSITIVE_INFINITY))
        continue;
      first.set(from, Math.min(first.get(from) ?? Number.POSITIVE_INFINITY, endedAtMs - back));
    }
    took.push(...first.values());
  }
  return took;
}

/** What the servers did wrong by themselves. While its process was stopped, nobody could answer. */
function notesOf(
  slow: Asked[],
  nodes: World['nodes'],
  redis: World['redis'],
  beganAtMs: number,
): History['notes'] {
  const notes: History['notes'] = [];
  for (const { url, what, status, tookMs, atMs } of slow) {
    const node = nodes.find((each) => each.url === url);
    const wasStopped = node?.stops.some(({ fromMs, toMs }) => fromMs < atMs + tookMs && toMs + 1_000 > atMs);
    const where = `${what} at ${Math.round(atMs - beganAtMs)} ms: ${status} after ${Math.round(tookMs)} ms`;
    if (status === 500) notes.push({ rule: 'no bug', what: where });
    else if (!wasStopped) notes.push({ rule: 'answered within 5 s', what: where });
  }
  for (const node of nodes) {
    if (node.endedByItself() > 0)
      notes.push({ rule: 'no node ends by itself', what: node.said().slice(-500) });
    const bug = /.*a bug of ours.*/.exec(node.said());
    if (bug) notes.push({ rule: 'no bug', what: bug[0].slice(0, 1_000) });
  }
  void redis;
  return notes;
}
