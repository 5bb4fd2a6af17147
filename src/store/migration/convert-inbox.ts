/** Counts a converted inbox: its state, and the records of its channels. Pure. */
import { directChannel } from '../channels.ts';
import type { InboxLimits } from '../inboxes.ts';
import { sentAtOf } from '../log/entry.ts';
import { type Converted, markOfId } from './earlier-form.ts';

export type EarlierCounters = {
  epoch: string;
  first: number;
  last: number;
  acked: number;
  received: number;
  read: number;
  dropped: number;
};

type ChannelRecord = {
  channel: string;
  at: number;
  unread: number;
  bytes: number;
  from: number;
  last: number;
  isFriend: boolean;
};

/** The share of an inbox from which a channel is named in `heavy`: lua/lib/inbox.lua. */
const HEAVY = 1 / 64;

export class InboxCount {
  readonly #owner: string;
  readonly #counters: EarlierCounters;
  readonly #records = new Map<string, ChannelRecord>();
  #seq: number;
  #mark = '-';
  #bytes = 0;
  #evicted = 0;
  #evictedAt = 0;
  #newestMs = 0;
  #skewMs = 0;

  /** `others`: accounts it has talked with, and when (epoch ms). `friends`: accounts it has written to. */
  constructor(owner: string, counters: EarlierCounters, others: Map<string, number>, friends: string[]) {
    this.#owner = owner;
    this.#counters = counters;
    this.#seq = counters.first - 1;
    for (const [other, at] of others) this.#record(directChannel(owner, other)).at = at;
    for (const friend of friends) this.#record(directChannel(owner, friend)).isFriend = true;
  }

  add({ line, id, from, channel, kind }: Converted): void {
    this.#seq += 1;
    this.#mark = markOfId(id);
    const sentAtMs = sentAtOf({ id });
    this.#skewMs = Math.max(this.#skewMs, this.#newestMs - sentAtMs);
    this.#newestMs = Math.max(this.#newestMs, sentAtMs);
    if (kind === 'tombstone') {
      this.#evicted += 1;
      this.#evictedAt = this.#seq;
      return;
    }
    const size = Buffer.byteLength(line);
    this.#bytes += size;
    const record = this.#record(channel);
    record.at ||= sentAtMs;
    if (from === this.#owner) record.isFriend = true;
    else if (this.#seq > this.#counters.acked) {
      record.from ||= this.#seq;
      record.last = this.#seq;
      record.unread += 1;
      record.bytes += size;
    }
  }

  /** The state as of lua/lib/inbox.lua, but for the front of the list of channels. */
  state(stored: number) {
    const all = [...this.#records.values()];
    const strangers = all.filter(({ isFriend }) => !isFriend);
    const total = (records: ChannelRecord[], what: 'unread' | 'bytes') =>
      records.reduce((sum, record) => sum + record[what], 0);
    return {
      ...this.#counters,
      ...{ mark: this.#mark, unread: total(all, 'unread'), bytes: this.#bytes, stored },
      ...{ evicted: this.#evicted, evictedAt: this.#evictedAt, strangersFrom: 0, friendsFrom: 0 },
      ...{ strangers: total(strangers, 'unread'), strangerBytes: total(strangers, 'bytes') },
      ...{ newestMs: this.#newestMs, skewMs: this.#skewMs },
    };
  }

  /** Newest first, with times that fall along the list. */
  records(limits: InboxLimits): (ChannelRecord & { isHeavy: boolean })[] {
    const sorted = [...this.#records.values()].sort(
      (a, b) => b.at - a.at || (a.channel < b.channel ? -1 : 1),
    );
    let before = Number.POSITIVE_INFINITY;
    return sorted.map((record) => {
      before = Math.min(record.at, before - 1);
      const share = Math.max(record.unread / limits.inbox, record.bytes / limits.inboxBytes);
      return { ...record, at: before, isHeavy: share >= HEAVY };
    });
  }

  #record(channel: string): ChannelRecord {
    const existing = this.#records.get(channel);
    if (existing) return existing;
    const record = { channel, at: 0, unread: 0, bytes: 0, from: 0, last: 0, isFriend: false };
    this.#records.set(channel, record);
    return record;
  }
}
