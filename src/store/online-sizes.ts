/**
 * How many accounts are online, without counting them for every change: each published change carries the new size of its
 * shard, and a heartbeat compares all sizes with Redis.
 */
import type { Store } from './redis/client.ts';
import { PRESENCE_SHARDS } from './redis/keys.ts';

/** A message of the `presence` channel. */
export type PresenceMessage =
  | { kind: 'online'; username: string; sinceMs: number }
  | { kind: 'offline'; usernames: string[] }
  | { kind: 'renamed'; username: string };

export type OnlineSizes = ReturnType<typeof createOnlineSizes>;

export function createOnlineSizes({ keys, commands, attempt }: Store) {
  const shards = Array.from({ length: PRESENCE_SHARDS }, (_, shard) => shard);
  const sizes = shards.map(() => 0);
  /** Messages received about each shard. */
  const messagesReceived = shards.map(() => 0);
  let misses = 0;

  /** `before`: `messagesReceived` when the size was requested. A message received since then is newer, or a newer one will follow. */
  function correct(shard: number, size: number, before: number): void {
    if (messagesReceived[shard] !== before || sizes[shard] === size) return;
    sizes[shard] = size;
    misses += 1;
  }

  return {
    total: (): number => sizes.reduce((total, size) => total + size, 0),
    ofShards: (): readonly number[] => sizes,

    /** How often messages were missed, as far as this node knows: a size differed, or the subscription was interrupted. */
    missCount: (): number => misses,
    noteMiss(): void {
      misses += 1;
    },

    /** Apply the size in the reply to an own change, unless the message about it has been received. */
    awaitOwnChange(shard: number): (size: number) => void {
      const before = messagesReceived[shard]!;
      return (size) => {
        if (messagesReceived[shard] === before) sizes[shard] = size;
      };
    },

    /** Read all sizes from Redis. */
    async refresh(): Promise<void> {
      const before = [...messagesReceived];
      const current = await attempt(Promise.all(shards.map((shard) => commands.hlen(keys.online(shard)))));
      for (const shard of shards) correct(shard, current[shard]!, before[shard]!);
    },

    /** Handle a message: `+ shard size since username`, `- shard size username …` or `= username`. */
    receive(payload: string): PresenceMessage {
      const [sign, ...words] = payload.split(' ');
      if (sign === '=') return { kind: 'renamed', username: words[0] ?? '' };
      const [shard, size] = [Number(words[0]), Number(words[1])];
      messagesReceived[shard] = (messagesReceived[shard] ?? 0) + 1;
      sizes[shard] = size;
      return sign === '+'
        ? { kind: 'online', username: words[3] ?? '', sinceMs: Number(words[2]) }
        : { kind: 'offline', usernames: words.slice(2) };
    },
  };
}
