/** What earlier releases stored, and how they answered about it: recorded by scripts/record-data.mjs. */
import { readFileSync } from 'node:fs';
import type { Store } from '../../src/store/redis/client.ts';

type Stored = { type: 'list' | 'hash'; value: string[] | Record<string, string>; ttl?: number };
export type Recording = {
  /** The ids of an event after which each of these accounts received one more message. */
  cursors: Record<string, string>;
  ids: string[];
  answers: Record<
    string,
    {
      mailbox: { gap: { history: string } | null };
      conversations: object;
      broadcasts: object;
      histories: Record<string, object>;
    }
  >;
  data: Record<string, Stored>;
};

export const recordingOf = (release: string): Recording =>
  JSON.parse(readFileSync(new URL(`../integration/store/data/${release}.json`, import.meta.url), 'utf8'));

/** Puts what a release had stored into Redis. */
export async function loadRecording(
  { commands }: Pick<Store, 'commands'>,
  prefix: string,
  { data }: Recording,
): Promise<void> {
  for (const [name, { type, value, ttl }] of Object.entries(data)) {
    const key = `${prefix}${name}`;
    if (type === 'list') await commands.rpush(key, ...(value as string[]));
    else
      for (const [field, each] of Object.entries(value))
        await commands.hset(key, field, Buffer.from(each, 'latin1'));
    if (ttl) await commands.pexpire(key, ttl);
  }
}
