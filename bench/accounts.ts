/** Creates accounts without bcrypt: rows in the format of src/store/accounts.ts, and access tokens signed with the bench's secret. */
import { createSecretKey } from 'node:crypto';
import { mass } from './mass.ts';
import { built, type RedisServer, SECRET } from './servers.ts';

const { createAccessTokens } =
  await built<typeof import('../src/chat/access-tokens.ts')>('chat/access-tokens.js');
const { createKeys } = await built<typeof import('../src/store/redis/keys.ts')>('store/redis/keys.js');

const tokens = createAccessTokens({
  secrets: [createSecretKey(Buffer.from(SECRET))],
  accessTtlSeconds: 3_600,
  now: Date.now,
});
/** Has the length of a bcrypt hash, but matches no password. */
const INVALID_HASH = `$2b$12$${'nobody logs in here'.padEnd(53, '.')}`;

export type Account = { username: string; token: string };

export const usernameOf = (index: number): string => `user${String(index).padStart(6, '0')}`;

export async function seed(
  redis: RedisServer,
  prefix: string,
  count: number,
  passwordHash: string = INVALID_HASH,
): Promise<void> {
  const keys = createKeys(prefix, '');
  const createdAt = new Date().toISOString();
  function* rows() {
    for (let index = 0; index < count; index += 1) {
      const username = usernameOf(index);
      const fields = ['displayName', username, 'passwordHash', passwordHash, 'createdAt', createdAt];
      yield ['HSET', keys.account(username), ...fields];
      // A build from before the partitions, to be compared with, looks here.
      if (process.env['BEFORE']) yield ['HSET', `${prefix}account:{${username}}`, ...fields];
    }
  }
  await mass(redis, rows());
}

/** Returns accounts with one session each. */
export function accounts(count: number, from = 0): Account[] {
  return Array.from({ length: count }, (_, i) => {
    const username = usernameOf(from + i);
    return { username, token: tokens.issue({ username, sid: `session-of-${username}` }) };
  });
}
