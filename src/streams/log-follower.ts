/**
 * The end of one log as this node knows it. Combines notifications (which may be lost, late or duplicated) with reads
 * (the source of truth) into one sequence without holes. Live streams stand at `end`. New entries are `pending` until
 * the hub takes them, once per batch: a stream that compares itself with `end` goes live without losing an entry.
 *
 * If the log does not continue what was delivered, the follower jumps to the end of the log and notifies its owner; each
 * stream then determines what it missed.
 */
import { continuity } from '../store/log/cursor.ts';
import { type Entry, type Position, START, samePosition } from '../store/log/entry.ts';
import type { LogPart, Window } from '../store/log/log-reader.ts';
import { entryBlock, mergeEvicted } from './sse.ts';

export type FramedEntry = Entry & { block: Buffer };
/** A published notification: an entry, the epoch of its log, and the mark of the previous entry. */
export type EntryNotification = { epoch: string; before: string; entry: Entry };
export type FramedPart = Omit<LogPart, 'entries'> & { entries: FramedEntry[] };

/** The owner of a follower. An object instead of three closures, because there is one per subscribed account. */
export type LogFollowerOwner = {
  fetch(window: Window): Promise<LogPart>;
  logGrew(): void;
  logJumped(): void;
  /** An entry of a later release was skipped. */
  entrySkipped(): void;
};

const READ_COUNT = 500;
/** Byte limit for each of pending, parked and recent blocks. Anything beyond is read from the log later. */
const MAX_BYTES = { dm: 1024 * 1024, broadcast: 8 * 1024 * 1024 };
const NO_ENTRIES: FramedEntry[] = [];

export class LogFollower {
  end: Position = START;
  #pending: FramedEntry[] = [];
  #pendingBytes = 0;
  /** The newest entries up to `end`, without a hole. Streams that reconnect together are served from here. */
  #recent: FramedEntry[] = [];
  #recentBytes = 0;
  #filling: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  #isStale = false;
  #isOpen = false;
  /** Too much is pending: notifications are ignored, and the log is read once there is room again. */
  #isBehind = false;
  /** Notifications that arrived during a read. */
  #parked: EntryNotification[] = [];
  #parkedBytes = 0;
  readonly #kind: 'dm' | 'broadcast';
  readonly #owner: LogFollowerOwner;
  /** How many entries a stream may be behind without needing a read. */
  readonly #retainedCount: number;
  readonly #maxBytes: number;

  constructor(kind: 'dm' | 'broadcast', owner: LogFollowerOwner, retainedCount = 0) {
    this.#kind = kind;
    this.#owner = owner;
    this.#retainedCount = retainedCount;
    this.#maxBytes = MAX_BYTES[kind];
  }

  get hasMore(): boolean {
    return this.#pending.length > 0;
  }

  get #lastAccepted(): Position {
    const last = this.#pending.at(-1);
    return last ? { epoch: this.end.epoch, seq: last.seq, mark: last.mark } : this.end;
  }

  /** Start at the end of the log; returns its meta. Subscribe first: notifications during the read are parked. */
  async open(): Promise<LogPart> {
    const part = await this.#owner.fetch({ count: 0 });
    this.end = part.end;
    this.#isOpen = true;
    for (const parked of this.#takeParked()) this.receive(parked);
    return part;
  }

  /** The common case, a notification of the very next entry, needs no read. */
  receive(notification: EntryNotification): void {
    if (this.#reading || !this.#isOpen) this.#park(notification);
    else if (this.#pendingBytes > this.#maxBytes) this.#isBehind = true;
    else if (!this.#isBehind && !this.#offer(notification)) this.refresh().catch(() => {}); // the poller tries again
  }

  /** Compare with the end of the log as read elsewhere, and refresh if it differs. */
  async compare(logEnd: Position): Promise<void> {
    if (this.#isOpen && !samePosition(logEnd, this.#lastAccepted)) await this.refresh();
  }

  /** Read until level with the log, or until so much is pending that the rest has to stay in the log. */
  refresh(): Promise<void> {
    this.#isStale = true;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  /** Deliver the pending entries that fit into `maxBytes`, at least one. The rest waits for the next batch. */
  take(maxBytes = Number.POSITIVE_INFINITY): FramedEntry[] {
    if (this.#pending.length === 0) return NO_ENTRIES;
    let [count, bytes] = [0, 0];
    for (const { block } of this.#pending) {
      if (count > 0 && bytes + block.length > maxBytes) break;
      count += 1;
      bytes += block.length;
    }
    const taken = this.#pending.splice(0, count);
    const last = taken[count - 1]!;
    this.end = { epoch: this.end.epoch, seq: last.seq, mark: last.mark };
    this.#pendingBytes -= bytes;
    if (this.#retainedCount > 0) this.#retain(taken, bytes);
    if (this.#isBehind && this.#pendingBytes <= this.#maxBytes / 2) this.refresh().catch(() => {});
    const known = taken.filter(({ type }) => type !== 'unknown');
    return this.#kind === 'dm' ? mergeEvicted(known) : known;
  }

  #retain(taken: FramedEntry[], bytes: number): void {
    this.#recent.push(...taken);
    this.#recentBytes += bytes;
    if (this.#recent.length <= 3 * this.#retainedCount && this.#recentBytes <= 1.5 * this.#maxBytes) return;
    let from = 0;
    while (this.#recent.length - from > 2 * this.#retainedCount || this.#recentBytes > this.#maxBytes) {
      this.#recentBytes -= this.#recent[from]!.block.length;
      from += 1;
    }
    this.#recent = this.#recent.slice(from);
  }

  /**
   * Entries from `seq` (inclusive, to verify the stream's own position) up to `end`, from memory if recent enough. Reads
   * at most `maxBytes`, but one entry after `seq`. A `seq` beyond `end` may come from a node that was notified earlier.
   */
  async readFrom(seq: number, count: number, maxBytes: number, requester: string): Promise<FramedPart> {
    if (seq > this.#lastAccepted.seq) await this.refresh();
    const isRecent = seq > this.end.seq - 2 * this.#retainedCount && seq <= this.end.seq;
    if (isRecent && seq < this.#oldest && this.#recentBytes < this.#maxBytes) {
      this.#filling ??= this.#fill().finally(() => {
        this.#filling = undefined;
      });
      await this.#filling;
    }
    const index = seq - this.#oldest;
    if (index >= 0 && seq <= this.end.seq)
      return { first: 1, end: this.end, entries: this.#recent.slice(index, index + count) };
    const window = { after: Math.max(seq - 1, 0), count, maxBytes, minEntries: 2, requester };
    const part = await this.#owner.fetch(window);
    const known = part.entries.filter((entry) => entry.seq <= Math.max(this.end.seq, seq));
    return { ...part, entries: known.map((entry) => this.#frame(entry)) };
  }

  get #oldest(): number {
    return this.#recent[0]?.seq ?? this.end.seq + 1;
  }

  /** Load recent entries that are not in memory, newest first: one read, however many streams ask for it. */
  async #fill(): Promise<void> {
    const [{ epoch, seq }, before] = [this.end, this.#oldest];
    const end = Math.max(seq - 2 * this.#retainedCount, 0);
    let older: FramedEntry[] = [];
    let [oldest, bytes] = [before, this.#recentBytes];
    while (oldest > end + 1 && bytes < this.#maxBytes) {
      const count = Math.min(READ_COUNT, oldest - 1 - end);
      const { end: logEnd, entries } = await this.#owner.fetch({ before: oldest, count });
      if (entries.length === 0) break;
      if (logEnd.epoch !== epoch || entries.at(-1)!.seq !== oldest - 1) return;
      const framed = entries.map((entry) => this.#frame(entry));
      for (const { block } of framed) bytes += block.length;
      older = framed.concat(older);
      oldest = entries[0]!.seq;
    }
    if (this.end.epoch !== epoch || this.#oldest !== before) return;
    this.#recent = older.concat(this.#recent);
    this.#recentBytes = this.#recent.reduce((sum, { block }) => sum + block.length, 0);
  }

  async #read(): Promise<void> {
    try {
      while (this.#isStale) {
        this.#isStale = false;
        this.#isBehind = this.#pendingBytes > this.#maxBytes;
        if (this.#isBehind) return;
        const from = this.#lastAccepted;
        const part = await this.#owner.fetch({ after: Math.max(from.seq - 1, 0), count: READ_COUNT });
        if (continuity(from, part) !== 'whole') {
          this.#jump(part.end);
          continue;
        }
        for (const entry of part.entries) {
          this.#offer({ epoch: part.end.epoch, before: this.#lastAccepted.mark, entry }); // the part is verified
        }
        if (this.#lastAccepted.seq < part.end.seq) this.#isStale = true;
        if (this.#isStale) continue;
        for (const parked of this.#takeParked()) if (!this.#offer(parked)) this.#isStale = true;
      }
    } finally {
      // In the same turn as the last check: notifications from now on are no longer parked.
      this.#reading = undefined;
      this.#takeParked();
    }
  }

  #park(notification: EntryNotification): void {
    this.#isStale ||= this.#parked.length >= READ_COUNT || this.#parkedBytes > this.#maxBytes;
    if (this.#isStale) return; // the refresh will read it from the log
    this.#parked.push(notification);
    this.#parkedBytes += notification.entry.message.length;
  }

  #takeParked(): EntryNotification[] {
    const parked = this.#parked;
    this.#parked = [];
    this.#parkedBytes = 0;
    return parked;
  }

  #jump(logEnd: Position): void {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#recent = [];
    this.#recentBytes = 0;
    this.end = logEnd;
    this.#owner.logJumped();
  }

  /** Accept an entry if it is the next one. False if there is a hole, or if the log is not the one being followed. */
  #offer({ epoch, before, entry }: EntryNotification): boolean {
    const at = this.#lastAccepted;
    if (at.seq > 0 && epoch !== at.epoch) return false;
    if (entry.seq < at.seq) return true;
    if (entry.seq === at.seq) return entry.mark === at.mark;
    if (entry.seq !== at.seq + 1 || before !== at.mark) return false;
    if (at.seq === 0) this.end = { ...this.end, epoch };
    if (entry.type === 'unknown') this.#owner.entrySkipped();
    const framed = this.#frame(entry);
    this.#pending.push(framed);
    this.#pendingBytes += framed.block.length;
    this.#owner.logGrew();
    return true;
  }

  #frame(entry: Entry): FramedEntry {
    return { ...entry, block: entryBlock(this.#kind, entry) };
  }
}
