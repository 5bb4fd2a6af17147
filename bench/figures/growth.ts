/**
 * Whether a call costs more with more accounts and the same number online: latency over one connection, and Redis commands as
 * counted by Redis, including those called by scripts. There is one Redis and one server per size, measured in turn. Also
 * measures the Redis memory per account, session and message.
 *
 * The crowd is the same at every size: at the smallest size, most tokens belong to no account, which no measured call
 * depends on.
 */
import bcrypt from 'bcrypt';
import { accounts, seed, usernameOf } from '../accounts.ts';
import type { Call, CallerJobs } from '../callers.ts';
import { commandCalls, startCrowd, sumOf, usedMemory } from '../crowd.ts';
import type { Row } from '../report.ts';
import { orderOf, runsOf } from '../runs.ts';
import { type RedisServer, type Server, startParley, startRedis } from '../servers.ts';
import { type Started, startWorker, type Worker } from '../stage.ts';
import { quantile, summary } from '../stats.ts';
import { footprint } from './footprint.ts';
import type { Figure } from './index.ts';

const SIZES = [1_000, 100_000, 1_000_000];
const ONLINE = 10_000;
const RUNS = 5;
/** A node's own commands (heartbeats, log polling) fall into some batches; the minimum is the cost of the call itself. */
const BATCHES = 3;
const PASSWORD = 'correct horse battery';
/** With the default of 12, bcrypt would dominate the duration of a login. */
const COST = 4;
const TEXT = 'a message of about the length that people write';
const UNREAD = 20;

type World = { size: number; redis: RedisServer; server: Server; bytesPerAccount: number };
type Run = { commands: number; micros: number[] };
type Kind = { name: string; batch: number; call: (index: number) => Call };

const [sender, reader, mailboxOwner] = accounts(3) as [Account, Account, Account];
type Account = ReturnType<typeof accounts>[number];

const direct = (to: string): Call => ({
  ...{ method: 'POST', path: `/v1/dm/${to}`, token: sender.token, body: { text: TEXT } },
});
const KINDS: Kind[] = [
  {
    // A small batch: each broadcast goes to the whole crowd.
    ...{ name: 'broadcast', batch: 10 },
    call: () => ({ method: 'POST', path: '/v1/broadcasts', token: sender.token, body: { text: TEXT } }),
  },
  { name: 'dm', batch: 200, call: () => direct(reader.username) },
  {
    ...{ name: `login (bcrypt cost ${COST})`, batch: 100 },
    call: (index) => {
      const body = { username: usernameOf(index), password: PASSWORD };
      return { method: 'POST', path: '/v1/login', body };
    },
  },
  {
    ...{ name: 'listOnline', batch: 100 },
    call: () => ({ method: 'GET', path: '/v1/online', token: sender.token }),
  },
  {
    ...{ name: `mailbox of ${UNREAD}`, batch: 200 },
    call: () => ({ method: 'GET', path: '/v1/mailbox', token: mailboxOwner.token }),
  },
];

export const growth: Figure = async (log) => {
  const started: Started[] = [];
  const caller = startWorker<CallerJobs>('callers.ts');
  const worlds: World[] = [];
  for (const size of SIZES) {
    const redis = await startRedis();
    const server = await startParley(redis, { BCRYPT_COST: String(COST) });
    const before = await usedMemory(redis);
    await seed(redis, server.prefix, size, await bcrypt.hash(PASSWORD, COST));
    const bytesPerAccount = ((await usedMemory(redis)) - before) / size;
    worlds.push({ size, redis, server, bytesPerAccount });
    started.push(await startCrowd(server, accounts(ONLINE)), server, redis);
    const unread = Array.from({ length: UNREAD }, () => direct(mailboxOwner.username));
    await caller.ask('call', { port: server.port, calls: unread });
    log(`${size.toLocaleString('en')} accounts, ${ONLINE.toLocaleString('en')} online`);
  }
  const rows: Row[] = [];
  for (const kind of KINDS) {
    for (const world of worlds) await once(caller, world, kind);
    const results = worlds.map((): Run[] => []);
    for (let run = 0; run < runsOf(RUNS); run += 1) {
      for (const i of orderOf(run, worlds.length)) results[i]!.push(await once(caller, worlds[i]!, kind));
    }
    const of = worlds.map((world, i) => rowOf(kind, world, results[i]!, results[0]!));
    for (const row of of)
      log(`${row.case}: ${row.value.median.toFixed(2)} ms, ${row.redisCommands} commands`);
    rows.push(...of);
  }
  const { redis, server, bytesPerAccount } = worlds.at(-1)!;
  rows.push(...(await footprint(caller, redis, server, bytesPerAccount, PASSWORD)));
  for (const each of [caller, ...started]) await each.stop();
  return rows;
};

async function once(caller: Worker<CallerJobs>, { size, redis, server }: World, kind: Kind): Promise<Run> {
  const commands: number[] = [];
  const micros: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    const calls = Array.from({ length: kind.batch }, (_, i) => kind.call((i * 997 + batch) % size));
    const before = sumOf(await commandCalls(redis));
    const answers = await caller.ask('call', { port: server.port, calls });
    // Redis counts the first INFO only after replying to it.
    commands.push((sumOf(await commandCalls(redis)) - before - 1) / calls.length);
    micros.push(...answers.map((answer) => answer.micros));
    const rejected = answers.find(({ status }) => status >= 300 || status === 0);
    if (rejected) throw new Error(`${kind.name} returned ${rejected.status}`);
  }
  return { commands: Math.min(...commands), micros };
}

function rowOf({ name }: Kind, { size }: World, results: Run[], few: Run[]): Row {
  const median = ({ micros }: Run) => quantile(micros, 0.5);
  const all = results.flatMap(({ micros }) => micros);
  const row: Row = {
    figure: 'growth',
    case: `${name}, ${size.toLocaleString('en')} accounts`,
    subject: 'parley',
    value: summary(results.map((run) => median(run) / 1_000)),
    unit: 'ms',
    latencyMs: { p50: quantile(all, 0.5) / 1_000, p99: quantile(all, 0.99) / 1_000 },
    redisCommands: Math.min(...results.map(({ commands }) => commands)),
  };
  if (results === few) return row;
  const ratio = summary(results.map((run, i) => median(run) / median(few[i]!)));
  return { ...row, ratio: { ...ratio, to: `${SIZES[0]!.toLocaleString('en')} accounts` }, goal: '≤ 1.1' };
}
