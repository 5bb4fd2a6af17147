/** One run: starts a world with users, injects a fault for some time, heals it, and checks the history. */
import { checkPresence, checkResources } from './aftermath.ts';
import { delays, isMessage } from './check-reader.ts';
import { check, type Verdict } from './checker.ts';
import { type CallRecord, type Client, createClient } from './client.ts';
import type { Fault } from './fault.ts';
import { act, faultOf } from './faults.ts';
import type { History, Loss, Note, ReaderHistory, Send } from './history.ts';
import { mailboxes, storedLogs } from './inspect.ts';
import type { Node } from './node.ts';
import { CROWD, gather, type People } from './people.ts';
import { until } from './processes.ts';
import { createRandom, type Random } from './random.ts';
import { closeWorld, heal, type Injection, openWorld, type World } from './world.ts';

export type RunOptions = { fault: string; seed: number; seconds: number; dist: string };

export type RunResult = {
  fault: string;
  seed: number;
  seconds: number;
  injections: number;
  verdict: Verdict;
  sends: { ok: number; fail: number; unknowns: number };
  deliveries: number;
  /** Ms from the end of a stream to the next `ready`, and from the return of Redis to a writer's next 201. */
  backMs: number[];
  acceptedMs: number[];
  /** Reconnects that took longer than guaranteed, with the faults active meanwhile. */
  slow: string[];
  /** Ms from the 201, or from `ready` if that was later, to delivery. */
  delaysMs: number[];
  /** Ms after healing until all messages arrived, until presence was correct, and until departed readers were offline. */
  drainMs: number;
  presenceMs: number;
  goneMs: number;
};

const DRAIN_WITHIN_MS = 25_000;
const GUARANTEED_ANSWER_MS = 5_000;
const GUARANTEED_ACCEPTED_MS = 3_000;
/** Allowance for a busy machine. */
const ANSWER_MARGIN_MS = 800;
/** After SIGCONT a process has a backlog to work off. */
const AFTER_STOP_MS = 1_000;

export async function run({ fault: name, seed, seconds, dist }: RunOptions): Promise<RunResult> {
  const fault = faultOf(name);
  if (!fault) throw new Error(`unknown fault ${name}`);
  const clock = createClock();
  const random = createRandom(seed);
  const servers = await openWorld({
    dist,
    fsync: fault.fsync ?? 'always',
    ...(fault.folder && { folder: fault.folder() }),
    ...(fault.env && { env: fault.env }),
  });
  try {
    const badCalls: CallRecord[] = [];
    const client = createClient({
      targets: servers.nodes,
      random: random.fork(),
      onCall: (call) => {
        if (call.tookMs > GUARANTEED_ANSWER_MS + ANSWER_MARGIN_MS || call.status === 500) badCalls.push(call);
      },
    });
    const people = await gather({ client, random: random.fork(), now: clock.now, crowd: CROWD });
    const notes: Note[] = [];
    const context = { fault, servers, clock, random, client, people, notes };
    const empty = servers.nodes.map((node) => node.resources());
    const injected = await inject(context, seconds);
    const { history, drainMs } = await drain(context, injected);
    const { presenceMs, goneMs } = await checkDepartures(context, injected, history);
    history.notes.push(...notesOf(badCalls, servers.nodes, clock.startedAtMs));
    const { readers } = people;
    history.notes.push(...(await checkResources({ ...servers, readers, empty, history })));
    const acceptedMs = checkAcceptance(context, injected);
    return {
      ...{ fault: name, seed, seconds, injections: injected.injections, drainMs, presenceMs, goneMs },
      ...{ verdict: check(history, fault.cost), acceptedMs },
      ...measurementsOf(history, injected.mixed),
    };
  } finally {
    await closeWorld(servers);
  }
}

type Clock = { startedAtMs: number; now(): number };

/** What the steps of a run share. */
type Context = {
  fault: Fault;
  servers: Pick<World, 'nodes' | 'redis'>;
  clock: Clock;
  random: Random;
  client: Client;
  people: People;
  notes: Note[];
};

type Injected = { injections: number; losses: Loss[]; mixed: Injection[]; healedAtMs: number };

function createClock(): Clock {
  const startedAtMs = performance.now();
  return { startedAtMs, now: () => performance.now() - startedAtMs };
}

/** Injects the fault while the users are active, and heals it. */
async function inject({ fault, servers, clock, random, people, notes }: Context, seconds: number) {
  await people.listen();
  people.begin();
  const losses: Loss[] = [];
  const mixed: Injection[] = [];
  const world: World = {
    ...{ ...servers, readers: people.readers, losses, notes, mixed, now: clock.now },
    flood: (count, bytes) => people.flood(count, bytes),
    registerAgain: () => people.registerAgain(),
  };
  const injections = await act(fault, world, random.fork(), AbortSignal.timeout(seconds * 1_000));
  await heal(servers);
  const healedAtMs = performance.now();
  if (!(await people.finish(DRAIN_WITHIN_MS)))
    notes.push({ rule: 'all readers reconnect', what: `not within ${DRAIN_WITHIN_MS} ms after the fault` });
  if (injections === 0) notes.push({ rule: 'the fault takes effect', what: 'it was never injected' });
  return { injections, losses, mixed, healedAtMs } satisfies Injected;
}

/** Waits until all messages have arrived. */
async function drain({ fault, client, people, notes }: Context, { losses, healedAtMs }: Injected) {
  const { sends, acks, readers, sessions } = people;
  const history: History = {
    ...{ sends, acks, losses, readers: readers.map((reader) => reader.history) },
    ...{ stored: await storedLogs(client, sessions), mailboxes: new Map(), notes },
  };
  const isComplete = () =>
    check(history, fault.cost).violations.every(
      ({ rule }) => rule !== 'nothing lost' && rule !== 'a loss is reported',
    );
  if (!(await until(isComplete, DRAIN_WITHIN_MS)))
    notes.push({
      rule: 'all messages arrive',
      what: `not within ${DRAIN_WITHIN_MS} ms after all readers reconnected`,
    });
  return { history, drainMs: performance.now() - healedAtMs };
}

/** Checks presence after the fault, and again after a third of the readers, or a node, has left. */
async function checkDepartures(
  { fault, servers: { nodes }, random, client, people }: Context,
  { losses, healedAtMs }: Injected,
  history: History,
): Promise<{ presenceMs: number; goneMs: number }> {
  const { readers, sessions } = people;
  const presence = await checkPresence({ readers, client, nodes, healedAtMs });
  history.mailboxes = await mailboxes(client, sessions);
  const doomed = fault.endsWithDeath ? nodes[0] : undefined;
  const leave = doomed
    ? readers.filter((reader) => reader.url() === doomed.url)
    : random.some(readers, readers.length / 3);
  await doomed?.finish('SIGKILL');
  const remaining = nodes.filter((node) => node !== doomed);
  const departure = await checkPresence({ readers, client, nodes: remaining, leave });
  await doomed?.start();
  if (losses.length === 0) history.notes.push(...people.ended);
  history.notes.push(...presence.notes, ...departure.notes);
  return { presenceMs: presence.tookMs, goneMs: departure.tookMs };
}

/** Returns how long it took until sends were accepted after each return of Redis. */
function checkAcceptance({ servers, clock, people, notes }: Context, { mixed }: Injected): number[] {
  const acceptedMs = acceptedAgain(
    people.sends,
    servers.redis.backAtMs.slice(1).map((atMs) => atMs - clock.startedAtMs),
  );
  const latest = Math.max(0, ...acceptedMs);
  if (mixed.length === 0 && latest > GUARANTEED_ACCEPTED_MS + ANSWER_MARGIN_MS)
    notes.push({
      rule: 'sends are accepted within 3 s',
      what: `${Math.round(latest)} ms after Redis returned`,
    });
  return acceptedMs;
}

function measurementsOf({ sends, readers }: History, mixed: Injection[]) {
  const outcomes = (expected: Send['outcome']) => sends.filter(({ outcome }) => outcome === expected).length;
  const byText = new Map(sends.map((each) => [each.text, each]));
  return {
    sends: {
      ok: outcomes('ok'),
      fail: outcomes('fail'),
      unknowns: sends.reduce((sum, each) => sum + each.unknowns, 0),
    },
    deliveries: readers.flatMap((reader) => reader.events).filter(isMessage).length,
    slow: mixed.length > 0 ? slowReturns(readers, mixed) : [],
    backMs: readers.flatMap(({ breaks }) => breaks.map(({ atMs, backAtMs }) => backAtMs - atMs)),
    delaysMs: readers.flatMap((reader) => [...delays(reader, byText)].map(([, ms]) => ms)),
  };
}

/** For each return of Redis and each sender: ms until the first 201. */
function acceptedAgain(sends: Send[], backs: number[]): number[] {
  const durationsMs: number[] = [];
  for (const [index, back] of backs.entries()) {
    const next = backs[index + 1] ?? Number.POSITIVE_INFINITY;
    const first = new Map<string, number>();
    for (const { outcome, endedAtMs, from } of sends) {
      if (outcome !== 'ok' || endedAtMs < back || endedAtMs > next) continue;
      first.set(from, Math.min(first.get(from) ?? Number.POSITIVE_INFINITY, endedAtMs - back));
    }
    durationsMs.push(...first.values());
  }
  return durationsMs;
}

function slowReturns(readers: ReaderHistory[], mixed: Injection[]): string[] {
  return readers.flatMap(({ name, breaks }) =>
    breaks.flatMap(({ atMs, backAtMs }) => {
      if (backAtMs - atMs <= GUARANTEED_ANSWER_MS) return [];
      const active = mixed.filter(({ fromMs, toMs }) => fromMs < backAtMs && toMs > atMs);
      const descriptions = active.map(
        ({ name, fromMs, toMs }) => `${name} ${Math.round(fromMs)}–${Math.round(toMs)}`,
      );
      return [
        `${name} was disconnected ${Math.round(atMs)}–${Math.round(backAtMs)} ms; ${descriptions.join(', ')}`,
      ];
    }),
  );
}

/** Violations by the servers that need no comparison. A stopped process is not expected to respond. */
function notesOf(badCalls: CallRecord[], nodes: Node[], startedAtMs: number): Note[] {
  const notes: Note[] = [];
  for (const { url, what, status, tookMs, atMs } of badCalls) {
    const node = nodes.find((each) => each.url === url);
    const wasStopped = node?.stops.some(
      ({ fromMs, toMs }) => fromMs < atMs + tookMs && toMs + AFTER_STOP_MS > atMs,
    );
    const where = `${what} at ${Math.round(atMs - startedAtMs)} ms: ${status} after ${Math.round(tookMs)} ms`;
    if (status === 500) notes.push({ rule: 'no unexpected error', what: where });
    else if (!wasStopped) notes.push({ rule: 'answered within 5 s', what: where });
  }
  for (const node of nodes) {
    if (node.unexpectedExits() > 0)
      notes.push({ rule: 'no node exits unexpectedly', what: node.output().slice(-500) });
    const error = /.*(?:unexpected error|unhandled rejection|uncaught exception).*/.exec(node.output());
    if (error) notes.push({ rule: 'no unexpected error', what: error[0].slice(0, 1_000) });
  }
  return notes;
}
