/** Accounts without bcrypt: rows as src/store/accounts.ts writes them, and access tokens made with the bench's own secret. */
import { built, type RedisServer, SECRET } from './servers.ts';

const { createTokens } = await built<typeof import('../src/chat/tokens.ts')>('chat/tokens.js');
const { createKeys } = await built<typeof import('../src/store/keys.ts')>('store/keys.js');

const tokens = createTokens({ secret: SECRET, accessTtlSeconds: 3_600, now: Date.now });
const AT_ONCE = 5_000;

export type Account = { username: string; token: string };

export const usernameOf = (index: number): string => `user${String(index).padStart(6, '0')}`;

export async function seed(redis: RedisServer, prefix: string, count: number): Promise<void> {
  const keys = createKeys(prefix);
  const createdAt = new Date().toISOString();
  for (let from = 0; from < count; from += AT_ONCE) {
    const rows = redis.client.pipeline();
    for (let index = from; index < Math.min(count, from + AT_ONCE); index += 1) {
      const username = usernameOf(index);
      const row = { displayName: username, passwordHash: 'nobody logs in here', createdAt };
      rows.hset(keys.account(username), row);
    }
    await rows.exec();
  }
}

/** One session each. */
export function accounts(count: number, from = 0): Account[] {
  return Array.from({ length: count }, (_, i) => {
    const username = usernameOf(from + i);
    return { username, token: tokens.issue({ username, sid: `session-of-${username}` }) };
  });
}
