/**
 * The end of one log as this node knows it. Turns wake-ups (which may be lost, late or doubled) and reads (the truth)
 * into one sequence without holes. `frontier` is where the live streams stand: entries are first `pending`, and taken
 * by the hub once per turn, so that a stream that compares itself with the frontier can go live without a seam.
 *
 * What it refuses: to guess. When the log does not continue what was delivered, it jumps to the log's end and says so;
 * each stream then finds out for itself what it missed.
 */
import {
  type Entry,
  isTombstone,
  type LogPart,
  markOf,
  type Position,
  START,
  samePosition,
  type Window,
} from '../store/logs.ts';
import { continuity } from './cursor.ts';
import { block, evictedBlock } from './frame.ts';

export type Framed = Entry & { block: Buffer };
/** What a script published: an entry, its log's epoch, and the mark of the entry before it. */
export type WakeUp = { epoch: string; before: string; entry: Entry };
export type FramedPart = Omit<LogPart, 'entries'> & { entries: Framed[] };

/** Whose tail it is. An object and not three functions: there is one for each account that listens. */
export type TailOwner = {
  fetch(window: Window): Promise<LogPart>;
  tailGrew(): void;
  tailJumped(): void;
};

const READ_COUNT = 500;

export class Tail {
  frontier: Position = START;
  #pending: Entry[] = [];
  /** The newest entries up to the frontier, without a hole: a crowd that comes back is served from here. */
  #recent: Framed[] = [];
  #filling: Promise<void> | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #isOpen = false;
  /** Wake-ups that came during a read. */
  #parked: WakeUp[] = [];
  readonly #kind: 'dm' | 'broadcast';
  readonly #owner: TailOwner;
  /** How many entries a stream may be behind and need no read. */
  readonly #keep: number;

  constructor(kind: 'dm' | 'broadcast', owner: TailOwner, keep = 0) {
    this.#kind = kind;
    this.#owner = owner;
    this.#keep = keep;
  }

  get #accepted(): Position {
    const last = this.#pending.at(-1);
    return last ? { epoch: this.frontier.epoch, seq: last.seq, mark: markOf(last.message) } : this.frontier;
  }

  /** Begin at the log's end. Answers the log's meta. Subscribe first: what comes during the read is parked. */
  async open(): Promise<LogPart> {
    const part = await this.#owner.fetch({ count: 0 });
    this.frontier = part.head;
    this.#isOpen = true;
    for (const wakeUp of this.#parked.splice(0)) this.hear(wakeUp);
    return part;
  }

  /** A wake-up. The common case, the very next entry, costs no read. */
  hear(wakeUp: WakeUp): void {
    if (this.#reading || !this.#isOpen) {
      if (this.#parked.length < READ_COUNT) this.#parked.push(wakeUp);
      else this.#again = true;
    } else if (!this.#offer(wakeUp)) this.refresh().catch(() => {}); // the sweep tries again
  }

  /** What somebody saw at the log's end: read, unless it is what we have. */
  async compare(head: Position): Promise<void> {
    if (this.#isOpen && !samePosition(head, this.#accepted)) await this.refresh();
  }

  /** Read until level with the log. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#read();
    return this.#reading;
  }

  /** Pending entries become delivered ones. */
  take(): Framed[] {
    if (this.#pending.length === 0) return [];
    const taken: Framed[] = [];
    let evictedFrom = 0; // tombstones that stand together become one gap
    for (const entry of this.#pending) {
      if (evictedFrom > 0 && isTombstone(entry)) taken.pop();
      else evictedFrom = isTombstone(entry) ? entry.seq : 0;
      taken.push(this.#framed(entry, evictedFrom));
    }
    this.frontier = this.#accepted;
    this.#pending = [];
    if (this.#keep > 0) {
      this.#recent.push(...taken);
      if (this.#recent.length > 3 * this.#keep) this.#recent = this.#recent.slice(-2 * this.#keep);
    }
    return taken;
  }

  /**
   * Entries from `seq` (inclusive, so that the reader's own position can be verified) up to the frontier; from memory
   * if they are not too old. A `seq` beyond the frontier may come from another node that was told earlier.
   */
  async from(seq: number, count: number): Promise<FramedPart> {
    if (seq > this.#accepted.seq) await this.refresh();
    const isRecent = seq > this.frontier.seq - 2 * this.#keep && seq <= this.frontier.seq;
    if (isRecent && seq < this.#oldest) {
      this.#filling ??= this.#fill().finally(() => {
        this.#filling = undefined;
      });
      await this.#filling;
    }
    const index = seq - this.#oldest;
    if (index >= 0 && seq <= this.frontier.seq) {
      return { first: 1, head: this.frontier, entries: this.#recent.slice(index, index + count), meta: {} };
    }
    const part = await this.#owner.fetch({ after: Math.max(seq - 1, 0), count });
    const known = part.entries.filter((entry) => entry.seq <= Math.max(this.frontier.seq, seq));
    return { ...part, entries: known.map((entry) => this.#framed(entry)) };
  }

  get #oldest(): number {
    return this.#recent[0]?.seq ?? this.frontier.seq + 1;
  }

  /** Read what is recent and not in memory: once, however many streams ask for it. */
  async #fill(): Promise<void> {
    const { epoch, seq } = this.frontier;
    const before = this.#oldest;
    const older: Framed[] = [];
    for (let after = Math.max(seq - 2 * this.#keep, 0); after + 1 < before; after = older.at(-1)!.seq) {
      const { head, entries } = await this.#owner.fetch({ after, before, count: READ_COUNT });
      if (head.epoch !== epoch || entries.length === 0) return;
      older.push(...entries.map((entry) => this.#framed(entry)));
    }
    if (this.frontier.epoch === epoch && this.#oldest === before) this.#recent.unshift(...older);
  }

  async #read(): Promise<void> {
    try {
      while (this.#again) {
        this.#again = false;
        const from = this.#accepted;
        const part = await this.#owner.fetch({ after: Math.max(from.seq - 1, 0), count: READ_COUNT });
        if (continuity(from, part, markOf) !== 'whole') {
          this.#jump(part.head);
          continue;
        }
        for (const entry of part.entries) {
          this.#offer({ epoch: part.head.epoch, before: this.#accepted.mark, entry }); // the part was judged as a whole
        }
        if (this.#accepted.seq < part.head.seq) this.#again = true;
        if (this.#again) continue;
        for (const wakeUp of this.#parked.splice(0)) if (!this.#offer(wakeUp)) this.#again = true;
      }
    } finally {
      // In the same turn as the last look: what is heard from now on is not parked any more.
      this.#reading = undefined;
      this.#parked = [];
    }
  }

  #jump(head: Position): void {
    this.#pending = [];
    this.#recent = [];
    this.frontier = head;
    this.#owner.tailJumped();
  }

  /** Accept an entry if it is the next one. False: there is a hole, or the log is not the one that was followed. */
  #offer({ epoch, before, entry }: WakeUp): boolean {
    const at = this.#accepted;
    if (at.seq > 0 && epoch !== at.epoch) return false;
    if (entry.seq < at.seq) return true;
    if (entry.seq === at.seq) return markOf(entry.message) === at.mark;
    if (entry.seq !== at.seq + 1 || before !== at.mark) return false;
    if (at.seq === 0) this.frontier = { ...this.frontier, epoch };
    this.#pending.push(entry);
    this.#owner.tailGrew();
    return true;
  }

  #framed(entry: Entry, evictedFrom = entry.seq): Framed {
    const bytes = isTombstone(entry)
      ? evictedBlock(evictedFrom, entry.seq)
      : block(this.#kind, entry.message);
    return { ...entry, block: bytes };
  }
}
