/**
 * Whether a call costs more when there are more accounts, with the same crowd online: latency over one connection, and
 * Redis commands, counted by Redis itself, also those that scripts call. A Redis and a server for each size, measured
 * in turns. And what Redis keeps of an account, a session, a message.
 *
 * The crowd is the same at every size: at the smallest, most of it are tokens without an account, which nothing that
 * is measured here looks at.
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
/** A node's own commands (beats, its slow look at all logs) fall into some batches: the fewest are the call's own. */
const BATCHES = 3;
const PASSWORD = 'correct horse battery';
/** As the default, 12, bcrypt would be all of a login's time. */
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
    // Few: each goes to the whole crowd.
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

export const growth: Figure = async (say) => {
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
    say(`${size.toLocaleString('en')} accounts, ${ONLINE.toLocaleString('en')} online`);
  }
  const rows: Row[] = [];
  for (const kind of KINDS) {
    for (const world of worlds) await once(caller, world, kind);
    const found = worlds.map((): Run[] => []);
    for (let run = 0; run < runsOf(RUNS); run += 1) {
      for (const i of orderOf(run, worlds.length)) found[i]!.push(await once(caller, worlds[i]!, kind));
    }
    const of = worlds.map((world, i) => rowOf(kind, world, found[i]!, found[0]!));
    for (const row of of)
      say(`${row.case}: ${row.value.median.toFixed(2)} ms, ${row.redisCommands} commands`);
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
    // The INFO before was counted after it had answered.
    commands.push((sumOf(await commandCalls(redis)) - before - 1) / calls.length);
    micros.push(...answers.map((answer) => answer.micros));
    const refused = answers.find(({ status }) => status >= 300 || status === 0);
    if (refused) throw new Error(`${kind.name} was answered ${refused.status}`);
  }
  return { commands: Math.min(...commands), micros };
}

function rowOf({ name }: Kind, { size }: World, found: Run[], few: Run[]): Row {
  const median = ({ micros }: Run) => quantile(micros, 0.5);
  const all = found.flatMap(({ micros }) => micros);
  const row: Row = {
    figure: 'growth',
    case: `${name}, ${size.toLocaleString('en')} accounts`,
    subject: 'parley',
    value: summary(found.map((run) => median(run) / 1_000)),
    unit: 'ms',
    latencyMs: { p50: quantile(all, 0.5) / 1_000, p99: quantile(all, 0.99) / 1_000 },
    redisCommands: Math.min(...found.map(({ commands }) => commands)),
  };
  if (found === few) return row;
  const ratio = summary(found.map((run, i) => median(run) / median(few[i]!)));
  return { ...row, ratio: { ...ratio, to: `${SIZES[0]!.toLocaleString('en')} accounts` }, goal: '≤ 1.1' };
}
