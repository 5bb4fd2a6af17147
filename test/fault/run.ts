/** One run: a world, people who read and write, a fault for some time, then peace, and the history is checked. */
import { checkPresence, checkResources } from './aftermath.ts';
import { delays, isMessage } from './check-reader.ts';
import { check, type Verdict } from './checker.ts';
import { type Asked, createClient } from './client.ts';
import { act, faultOf } from './faults.ts';
import type { History, Loss, Note, ReaderHistory, Send } from './history.ts';
import { mailboxes, storedLogs } from './inspect.ts';
import type { Node } from './node.ts';
import { CROWD, gather } from './people.ts';
import { until } from './processes.ts';
import { createRandom } from './random.ts';
import { type Blow, closeWorld, heal, openWorld } from './world.ts';

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
  /** Returns that took longer than promised, and what else acted meanwhile. */
  slow: string[];
  /** Ms from a 201, or from `ready` if that came later, to the arrival. */
  delaysMs: number[];
  /** After peace: until all had all, until presence was right, until those who left were gone. */
  drainMs: number;
  presenceMs: number;
  goneMs: number;
};

const DRAIN_WITHIN_MS = 25_000;
const PROMISED_ANSWER_MS = 5_000;
const PROMISED_ACCEPTED_MS = 3_000;
/** What the machine may add when it is busy. */
const ANSWER_MARGIN_MS = 800;
/** A process that goes on after a stop has a queue to work off. */
const AFTER_STOP_MS = 1_000;

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
  const wrong: Asked[] = [];
  const client = createClient({
    targets: nodes,
    random: random.fork(),
    asked: (asked) => {
      if (asked.tookMs > PROMISED_ANSWER_MS + ANSWER_MARGIN_MS || asked.status === 500) wrong.push(asked);
    },
  });
  try {
    const people = await gather({ client, random: random.fork(), now, crowd: CROWD });
    const { readers, sends, acks, sessions } = people;
    const empty = nodes.map((node) => node.resources());
    await people.listen();
    people.begin();
    const losses: Loss[] = [];
    const notes: Note[] = [];
    const { flood, settleAgain } = people;
    const mixed: Blow[] = [];
    const world = { ...servers, readers, losses, notes, mixed, now, flood, settleAgain };
    const blows = await act(fault, world, random.fork(), AbortSignal.timeout(seconds * 1_000));
    await heal(servers);
    const healedAtMs = performance.now();
    if (!(await people.finish(DRAIN_WITHIN_MS)))
      notes.push({ rule: 'everybody is back', what: `not within ${DRAIN_WITHIN_MS} ms after the fault` });
    if (blows === 0) notes.push({ rule: 'the fault acts', what: 'it did not' });

    const history: History = {
      ...{ sends, acks, losses, readers: readers.map((reader) => reader.history) },
      ...{ stored: await storedLogs(client, sessions), mailboxes: new Map(), notes },
    };
    const isWhole = () =>
      check(history, fault.cost).violations.every(
        ({ rule }) => rule !== 'nothing lost' && rule !== 'a loss is told',
      );
    if (!(await until(isWhole, DRAIN_WITHIN_MS)))
      notes.push({ rule: 'all have all', what: `not within ${DRAIN_WITHIN_MS} ms after everybody was back` });
    const drainMs = performance.now() - healedAtMs;
    const presence = await checkPresence({ readers, client, nodes, healedAtMs });
    history.mailboxes = await mailboxes(client, sessions);
    const doomed = fault.endsWithDeath ? nodes[0] : undefined;
    const leave = doomed
      ? readers.filter((reader) => reader.url() === doomed.url)
      : random.some(readers, readers.length / 3);
    await doomed?.finish('SIGKILL');
    const left = nodes.filter((node) => node !== doomed);
    const gone = await checkPresence({ readers, client, nodes: left, leave });
    await doomed?.start();
    if (losses.length === 0) notes.push(...people.ended);
    history.notes.push(...presence.notes, ...gone.notes, ...notesOf(wrong, nodes, beganAtMs));
    history.notes.push(...(await checkResources({ readers, nodes, redis, empty, history })));

    const acceptedMs = acceptedAgain(
      sends,
      redis.backAtMs.slice(1).map((atMs) => atMs - beganAtMs),
    );
    const latest = Math.max(0, ...acceptedMs);
    if (mixed.length === 0 && latest > PROMISED_ACCEPTED_MS + ANSWER_MARGIN_MS)
      notes.push({
        rule: 'sends are accepted within 3 s',
        what: `${Math.round(latest)} ms after Redis was back`,
      });
    const byText = new Map(sends.map((each) => [each.text, each]));
    const arrivals = history.readers.flatMap((reader) => reader.events).filter(isMessage);
    const outcomes = (wanted: Send['outcome']) => sends.filter(({ outcome }) => outcome === wanted).length;
    return {
      ...{ fault: name, seed, seconds, blows, drainMs, presenceMs: presence.tookMs, goneMs: gone.tookMs },
      verdict: check(history, fault.cost),
      sends: {
        ok: outcomes('ok'),
        fail: outcomes('fail'),
        unknowns: sends.reduce((sum, each) => sum + each.unknowns, 0),
      },
      deliveries: arrivals.length,
      slow: mixed.length > 0 ? slowReturns(history.readers, mixed) : [],
      backMs: history.readers.flatMap(({ breaks }) => breaks.map(({ atMs, backAtMs }) => backAtMs - atMs)),
      acceptedMs,
      delaysMs: history.readers.flatMap((reader) => [...delays(reader, byText)].map(([, ms]) => ms)),
    };
  } finally {
    await closeWorld(servers);
  }
}

/** For each time that Redis came back, and each who sends: when the first 201 came. */
function acceptedAgain(sends: Send[], backs: number[]): number[] {
  const took: number[] = [];
  for (const [index, back] of backs.entries()) {
    const next = backs[index + 1] ?? Number.POSITIVE_INFINITY;
    const first = new Map<string, number>();
    for (const { outcome, endedAtMs, from } of sends) {
      if (outcome !== 'ok' || endedAtMs < back || endedAtMs > next) continue;
      first.set(from, Math.min(first.get(from) ?? Number.POSITIVE_INFINITY, endedAtMs - back));
    }
    took.push(...first.values());
  }
  return took;
}

function slowReturns(readers: ReaderHistory[], mixed: Blow[]): string[] {
  return readers.flatMap(({ name, breaks }) =>
    breaks.flatMap(({ atMs, backAtMs }) => {
      if (backAtMs - atMs <= PROMISED_ANSWER_MS) return [];
      const acted = mixed.filter(({ fromMs, toMs }) => fromMs < backAtMs && toMs > atMs);
      const told = acted.map(({ name, fromMs, toMs }) => `${name} ${Math.round(fromMs)}–${Math.round(toMs)}`);
      return [`${name} was away ${Math.round(atMs)}–${Math.round(backAtMs)} ms; ${told.join(', ')}`];
    }),
  );
}

/** What the servers did wrong by themselves. While its process was stopped, nobody could answer. */
function notesOf(wrong: Asked[], nodes: Node[], beganAtMs: number): Note[] {
  const notes: Note[] = [];
  for (const { url, what, status, tookMs, atMs } of wrong) {
    const node = nodes.find((each) => each.url === url);
    const wasStopped = node?.stops.some(
      ({ fromMs, toMs }) => fromMs < atMs + tookMs && toMs + AFTER_STOP_MS > atMs,
    );
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
  return notes;
}
