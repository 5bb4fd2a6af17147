/** Redis memory per account, session and message: `used_memory` before and after creating many of them. */
import { accounts, usernameOf } from '../accounts.ts';
import type { Call, CallerJobs } from '../callers.ts';
import { usedMemory } from '../crowd.ts';
import type { Row } from '../report.ts';
import type { RedisServer, Server } from '../servers.ts';
import type { Worker } from '../stage.ts';
import { summary } from '../stats.ts';

const MANY = 2_000;
/** The first of these accounts, which no earlier figure has used. */
const FIRST = 20_000;
const TEXT = 'a message of about the length that people write';

export async function footprint(
  caller: Worker<CallerJobs>,
  redis: RedisServer,
  { port }: Server,
  bytesPerAccount: number,
  password: string,
): Promise<Row[]> {
  const indices = Array.from({ length: MANY }, (_, i) => FIRST + i);
  const senders = accounts(MANY, FIRST);
  const [one, other] = accounts(2, FIRST + 2 * MANY);
  const body = { text: TEXT };
  const logins = indices.map((index): Call => {
    return { method: 'POST', path: '/v1/login', body: { username: usernameOf(index), password } };
  });
  const firsts = senders.map(({ token }, i): Call => {
    return { method: 'POST', path: `/v1/dm/${usernameOf(FIRST + 3 * MANY + i)}`, token, body };
  });
  const dm: Call = { method: 'POST', path: `/v1/dm/${other!.username}`, token: one!.token, body };
  const broadcast: Call = { method: 'POST', path: '/v1/broadcasts', token: one!.token, body };

  async function bytesOfEach(calls: Call[]): Promise<number> {
    const before = await usedMemory(redis);
    await caller.ask('call', { port, calls });
    return ((await usedMemory(redis)) - before) / calls.length;
  }

  await bytesOfEach(logins); // the first login of an account adds `lastSeenAt`
  await bytesOfEach([dm]);
  const results: [what: string, bytes: number, runs: number, note?: string][] = [
    ['an account', bytesPerAccount, 1, 'of a million, seeded; a bcrypt hash and a name of ten letters'],
    ['a session', await bytesOfEach(logins), 1],
    ['a broadcast', await bytesOfEach(Array(MANY / 20).fill(broadcast)), 1, `${TEXT.length} characters`],
    [
      'a direct message',
      await bytesOfEach(Array(MANY).fill(dm)),
      1,
      'in the conversation and in both inboxes',
    ],
    [
      'the first message of two accounts',
      await bytesOfEach(firsts),
      1,
      'creates two inboxes and a conversation: six keys',
    ],
  ];
  return results.map(([what, bytes, runs, note]) => ({
    figure: 'growth',
    case: `Redis memory of ${what}`,
    subject: 'parley',
    value: { ...summary([bytes]), runs },
    unit: 'bytes',
    ...(note && { note }),
  }));
}
