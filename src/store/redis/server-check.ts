/** Which Redis servers Parley accepts, and which of their settings lose messages. */
import type { Redis } from 'ioredis';

/** Throws if the server cannot be used; logs warnings. `ephemeral`: data is known to be in memory only. */
export async function checkServer(
  redis: Redis,
  log: { warn(message: string): void },
  ephemeral: boolean,
): Promise<void> {
  const { refusal, warnings } = judgeServer(await redis.info(), ephemeral);
  if (refusal) throw new Error(refusal);
  for (const warning of warnings) log.warn(warning);
}

/** Reject a server that is too old; warn about settings that lose messages. Input is INFO. Pure. */
export function judgeServer(info: string, ephemeral: boolean): { refusal?: string; warnings: string[] } {
  const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1];
  const version = field('valkey_version') ?? field('redis_version') ?? '0';
  const warnings: string[] = [];
  if (Number.parseInt(version, 10) < 7) {
    return { refusal: `Redis ${version} is too old: Parley needs 7.0 or newer`, warnings };
  }
  const policy = field('maxmemory_policy');
  if (policy !== 'noeviction') {
    warnings.push(
      `Redis drops keys when memory is full (${policy}): MESSAGES WILL VANISH. Set maxmemory-policy noeviction.`,
    );
  }
  if (field('aof_enabled') !== '1' && !ephemeral) {
    warnings.push('Redis has no append-only file: a restart of Redis LOSES MESSAGES. Set appendonly yes.');
  }
  return { warnings };
}
