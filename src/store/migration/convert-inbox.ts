/** Counts a converted inbox: its state, and the nodes of its channels. Pure. */
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

type Node = {
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
  readonly #nodes = new Map<string, Node>();
  #seq: number;
  #mark = '-';
  #bytes = 0;
  #evicted = 0;
  #evictedAt = 0;
  #newestMs = 0;
  #skewMs = 0;

  /** `others`: whom the account talked with, and when (epoch ms). `friends`: to whom it has written. */
  constructor(owner: string, counters: EarlierCounters, others: Map<string, number>, friends: string[]) {
    this.#owner = owner;
    this.#counters = counters;
    this.#seq = counters.first - 1;
    for (const [other, at] of others) this.#node(directChannel(owner, other)).at = at;
    for (const friend of friends) this.#node(directChannel(owner, friend)).isFriend = true;
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
    const node = this.#node(channel);
    node.at ||= sentAtMs;
    if (from === this.#owner) node.isFriend = true;
    else if (this.#seq > this.#counters.acked) {
      node.from ||= this.#seq;
      node.last = this.#seq;
      node.unread += 1;
      node.bytes += size;
    }
  }

  /** The state as of lua/lib/inbox.lua, but for the front of the list of channels. */
  state(stored: number) {
    const all = [...this.#nodes.values()];
    const strangers = all.filter(({ isFriend }) => !isFriend);
    const total = (nodes: Node[], what: 'unread' | 'bytes') =>
      nodes.reduce((sum, node) => sum + node[what], 0);
    return {
      ...this.#counters,
      ...{ mark: this.#mark, unread: total(all, 'unread'), bytes: this.#bytes, stored },
      ...{ evicted: this.#evicted, evictedAt: this.#evictedAt, strangersFrom: 0, friendsFrom: 0 },
      ...{ strangers: total(strangers, 'unread'), strangerBytes: total(strangers, 'bytes') },
      ...{ newestMs: this.#newestMs, skewMs: this.#skewMs },
    };
  }

  /** Newest first, with times that fall along the list. */
  nodes(limits: InboxLimits): (Node & { isHeavy: boolean })[] {
    const sorted = [...this.#nodes.values()].sort((a, b) => b.at - a.at || (a.channel < b.channel ? -1 : 1));
    let before = Number.POSITIVE_INFINITY;
    return sorted.map((node) => {
      before = Math.min(node.at, before - 1);
      const share = Math.max(node.unread / limits.inbox, node.bytes / limits.inboxBytes);
      return { ...node, at: before, isHeavy: share >= HEAVY };
    });
  }

  #node(channel: string): Node {
    const existing = this.#nodes.get(channel);
    if (existing) return existing;
    const node = { channel, at: 0, unread: 0, bytes: 0, from: 0, last: 0, isFriend: false };
    this.#nodes.set(channel, node);
    return node;
  }
}
