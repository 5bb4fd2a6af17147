/**
 * The position of one stream in its two logs, and how it reads on from there at its own pace. Independent of sockets.
 *
 * Every read starts with the entry that the stream received last, so a log that does not continue from there is
 * detected and reported as a gap: after an absence, after falling behind, and when Redis lost data.
 */
import { setImmediate } from 'node:timers/promises';
import type { components } from '../contract.d.ts';
import { type Cursor, continuity } from '../store/log/cursor.ts';
import { isTombstone, type Position } from '../store/log/entry.ts';
import type { FramedPart, LogFollower } from './log-follower.ts';
import { evictedBlock, glue, ownBlock } from './sse.ts';

export type LogName = keyof Cursor;
export type Gap = components['schemas']['Gap'];
/** The result of one step: blocks to write, and how many messages and gaps are among them. */
export type ReplayChunk = { blocks: Buffer[]; messages: number; gaps: number; bytes: number };

/** What the streams of one account read from. */
export type ReplaySource = {
  username: string;
  followers: Record<LogName, LogFollower>;
  replayLimit: number;
  /** The current start of the mailbox, for a stream whose inbox position is no longer valid. */
  mailboxStart(): Promise<Position>;
};

export type ReplayStart = {
  /** Messages sent by this session are not echoed to it. */
  sid: string;
  at: Cursor;
  /**
   * For a stream that started with the mailbox: up to this seq, copies of own messages are skipped and no limit
   * applies. Otherwise 0.
   */
  mailboxUntil: number;
};

/** Relative to the URL of the stream, so it works behind any proxy path. */
const HISTORY: Record<LogName, string> = { inbox: 'mailbox', broadcasts: 'broadcasts' };
const BATCH_ENTRIES = 64;
const BATCH_BYTES = 64 * 1024;
const NO_BATCH: ReplayChunk = { blocks: [], messages: 0, gaps: 0, bytes: 0 };

export class Replay {
  at: Cursor;
  #mailboxUntil: number;
  /** Tombstones that were passed but not reported yet. Adjacent ones become one gap, also across batches. */
  #evicted: { from: number; to: number } | undefined;
  readonly #sid: string;
  readonly #source: ReplaySource;

  constructor(source: ReplaySource, { sid, at, mailboxUntil }: ReplayStart) {
    this.#source = source;
    this.#sid = sid;
    this.at = at;
    this.#mailboxUntil = mailboxUntil;
  }

  /** Whether this stream has reached the position of the live streams. */
  isLevel(): boolean {
    return !this.#evicted && this.#isLevel();
  }

  #isLevel(): boolean {
    const { inbox, broadcasts } = this.#source.followers;
    return isAt(this.at.inbox, inbox.end) && isAt(this.at.broadcasts, broadcasts.end);
  }

  /** Verify both positions before the first byte is sent, and skip what exceeds the replay limit. */
  async verify(): Promise<Gap[]> {
    const gaps = await Promise.all([this.#verify('inbox'), this.#verify('broadcasts')]);
    return gaps.flat();
  }

  /**
   * One step in each log that is not level. Either the whole step succeeds and `at` moves past it, or it throws.
   * Returns and reads about as many bytes as there is room for, but at least one entry of what is waiting.
   */
  async next(room = BATCH_BYTES): Promise<ReplayChunk> {
    const [before, evicted] = [this.at, this.#evicted];
    const { followers } = this.#source;
    const maxBytes = Math.min(room, BATCH_BYTES);
    try {
      const isShared = !isAt(this.at.broadcasts, followers.broadcasts.end);
      const inbox = await this.#step('inbox', isShared ? maxBytes / 2 : maxBytes, true);
      const broadcasts = await this.#step('broadcasts', maxBytes - inbox.bytes, inbox.bytes === 0);
      const blocks = [...inbox.blocks, ...broadcasts.blocks];
      // The id that is about to be written lies past the tombstones, so they must be reported by then.
      const evicted = blocks.length > 0 || this.#isLevel() ? this.#takeEvictedGap() : [];
      return {
        blocks: [...blocks, ...evicted],
        messages: inbox.messages + broadcasts.messages,
        gaps: inbox.gaps + broadcasts.gaps + evicted.length,
        bytes: inbox.bytes + broadcasts.bytes,
      };
    } catch (error) {
      this.at = before;
      this.#evicted = evicted;
      throw error;
    }
  }

  /** `mustAdvance`: return the first entry whatever its size. */
  async #step(name: LogName, maxBytes: number, mustAdvance: boolean): Promise<ReplayChunk> {
    const follower = this.#source.followers[name];
    if (isAt(this.at[name], follower.end) || (maxBytes <= 0 && !mustAdvance)) return NO_BATCH;
    const part = await follower.readFrom(this.at[name].seq, BATCH_ENTRIES, maxBytes, this.#source.username);
    const gap = await this.#skipGap(name, part);
    if (gap) {
      const blocks = [...this.#takeEvictedGap(), ownBlock({ kind: 'gap', ...gap })];
      return { blocks, messages: 0, gaps: blocks.length, bytes: glue(blocks).length };
    }
    const { seq } = this.at[name];
    const newEntries = part.entries.filter((entry) => entry.seq > seq && entry.seq <= follower.end.seq);
    if (newEntries.length === 0) await setImmediate(); // ahead of this node: its own notification is on the way
    const blocks: Buffer[] = [];
    let [bytes, gaps] = [0, 0];
    for (const entry of newEntries) {
      if (isTombstone(entry)) {
        this.#move(name, { epoch: part.end.epoch, seq: entry.seq, mark: entry.mark });
        this.#evicted = { from: this.#evicted?.from ?? entry.seq, to: entry.seq };
        continue;
      }
      const isOldCopy = name === 'inbox' && entry.origin !== '-' && entry.seq <= this.#mailboxUntil;
      const isWanted = !isOldCopy && entry.origin !== this.#sid && entry.type === 'message';
      if (isWanted && (bytes > 0 || !mustAdvance) && bytes + entry.block.length > maxBytes) break;
      this.#move(name, { epoch: part.end.epoch, seq: entry.seq, mark: entry.mark });
      const evicted = this.#takeEvictedGap();
      blocks.push(...evicted);
      gaps += evicted.length;
      if (!isWanted) continue;
      blocks.push(entry.block);
      bytes += entry.block.length;
    }
    return { blocks, messages: blocks.length - gaps, gaps, bytes };
  }

  #takeEvictedGap(): Buffer[] {
    const run = this.#evicted;
    this.#evicted = undefined;
    return run ? [evictedBlock(run.from, run.to)] : [];
  }

  async #verify(name: LogName): Promise<Gap[]> {
    const gaps: Gap[] = [];
    const follower = this.#source.followers[name];
    if (isAt(this.at[name], follower.end)) return gaps;
    const gap = await this.#skipGap(
      name,
      await follower.readFrom(this.at[name].seq, 1, BATCH_BYTES, this.#source.username),
    );
    if (gap) gaps.push(gap);
    const { seq, epoch } = this.at[name];
    const oldest = follower.end.seq - this.#source.replayLimit;
    if (seq < oldest && !(name === 'inbox' && this.#mailboxUntil > 0)) {
      gaps.push({ log: name, from: seq + 1, to: oldest, reason: 'replay_limit', history: HISTORY[name] });
      this.#move(name, { epoch: epoch || follower.end.epoch, seq: oldest, mark: '' });
    }
    return gaps;
  }

  /** If the log does not continue from this position, move to what exists and return the gap. */
  async #skipGap(name: LogName, part: FramedPart): Promise<Gap | undefined> {
    const at = this.at[name];
    const reason = continuity(at, part);
    if (reason === 'whole') return undefined;
    const gap = { log: name, reason, history: HISTORY[name] };
    if (reason === 'trimmed') {
      const to = part.first - 1;
      this.#move(name, { epoch: part.end.epoch, seq: to, mark: '' });
      return { ...gap, from: at.seq + 1, to };
    }
    const { followers } = this.#source;
    if (name === 'inbox') {
      this.#mailboxUntil = part.end.seq;
      this.#move(name, await this.#source.mailboxStart());
      return { ...gap, from: null, to: part.end.seq || null };
    }
    // The follower may not know yet, and it moves: the reported gap must reach the position where this stream
    // continues.
    await followers.broadcasts.refresh();
    this.#move(name, followers.broadcasts.end);
    return { ...gap, from: null, to: this.at.broadcasts.seq || null };
  }

  #move(name: LogName, to: Position): void {
    this.at = { ...this.at, [name]: to };
  }
}

/** Gaps of a stream that starts with the mailbox: its id was not a valid cursor, or the inbox overflowed. */
export function freshGaps(isUnreadable: boolean, droppedFrom: number | undefined, start: number): Gap[] {
  const gaps: Gap[] = [];
  for (const log of isUnreadable ? (['inbox', 'broadcasts'] as const) : []) {
    gaps.push({ log, from: null, to: null, reason: 'unreadable', history: HISTORY[log] });
  }
  if (droppedFrom !== undefined) {
    gaps.push({ log: 'inbox', from: droppedFrom, to: start, reason: 'overflow', history: HISTORY.inbox });
  }
  return gaps;
}

function isAt(at: Position, end: Position): boolean {
  if (at.seq !== end.seq) return false;
  return at.seq === 0 || (at.epoch === end.epoch && (at.mark === '' || at.mark === end.mark));
}
