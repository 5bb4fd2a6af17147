/**
 * Everything to deliver in one turn of the event loop, and how it is written: one write per stream, made of blocks
 * shared by all streams, blocks of its own, and its `id:`.
 */
import { formatPosition } from '../store/log/cursor.ts';
import { isTombstone, type Position, sentAtOf } from '../store/log/entry.ts';
import type { FramedEntry } from './log-follower.ts';
import { burst, glue, LARGE_BYTES, pieces } from './sse.ts';
import type { Stream } from './stream.ts';
import type { Subscriber } from './subscriber.ts';

/** Upper bound for all writes of one batch: nothing else runs meanwhile, but many small writes take longer in total. */
const MAX_TURN_BYTES = 16 * 1024 * 1024;
/** Lower bound per stream: the write call itself costs about as much as copying this many bytes. */
const MIN_STREAM_BYTES = 8 * 1024;

export const batchBytes = (maxStreamBytes: number, audience: number): number =>
  Math.min(maxStreamBytes / 2, Math.max(MIN_STREAM_BYTES, MAX_TURN_BYTES / audience));

/** After a long turn, fan-out waits as long as the turn took, so that it uses at most half of the event loop. */
const LONG_TURN_MS = 5;
const MAX_PAUSE_MS = 15;

/** The time before which the next batch must not start. */
export function pauseAfter(startedAtMs: number): number {
  const nowMs = performance.now();
  const tookMs = nowMs - startedAtMs;
  return tookMs < LONG_TURN_MS ? 0 : nowMs + Math.min(MAX_PAUSE_MS, tookMs);
}

/**
 * A presence event as a block to concatenate with others, and as a complete burst for the many streams that get nothing
 * else.
 */
export type PresenceBytes = { block: Buffer; alone: Buffer };
/** For streams with `presence=all`, and for those with `presence=count`. */
export type PresenceUpdate = { all: PresenceBytes; count: PresenceBytes };

export const presenceBytes = (block: Buffer): PresenceBytes => ({ block, alone: burst(block, undefined) });

export type Batch = {
  broadcasts: FramedEntry[];
  /** All broadcasts concatenated, for every stream whose session sent none of them. */
  shared: Buffer | undefined;
  /** The sessions that sent at least one of them. */
  origins: Set<string>;
  presence: PresenceUpdate | undefined;
  /** End of the broadcast log after this batch. */
  end: Position;
  idPart: string;
  /** When one of its oldest messages was sent (epoch ms): a sample for the delivery lag. */
  sentAtMs: number | undefined;
};

export function createBatch(
  broadcasts: FramedEntry[],
  end: Position,
  presence: PresenceUpdate | undefined,
  scheduled: Iterable<Subscriber>,
): Batch {
  const oldest = broadcasts[0] ?? firstMessage(scheduled);
  return {
    broadcasts,
    shared: broadcasts.length > 0 ? glue(broadcasts.map(({ block }) => block)) : undefined,
    origins: new Set(broadcasts.map(({ origin }) => origin)),
    presence,
    end,
    idPart: formatPosition(end),
    sentAtMs: oldest && sentAtOf(oldest),
  };
}

/** The first direct message of the first subscriber that has one. */
function firstMessage(scheduled: Iterable<Subscriber>): FramedEntry | undefined {
  for (const { entries } of scheduled) {
    const message = entries.find((entry) => !isTombstone(entry));
    if (message) return message;
  }
  return undefined;
}

/** Write the batch to one stream. Returns the number of messages written. */
export function writeBatch(stream: Stream, subscriber: Subscriber, batch: Batch): number {
  const ack = subscriber.acks.findLast(({ sid }) => sid !== stream.sid)?.block;
  const presence = stream.presence === 'off' ? undefined : batch.presence?.[stream.presence];
  if (stream.state !== 'live') {
    stream.skip(ack, presence !== undefined);
    return 0;
  }
  // Blocks without an id come first: the id belongs to the last message.
  const blocks: Buffer[] = [];
  if (ack) blocks.push(ack);
  if (presence) blocks.push(presence.block);
  const withoutId = blocks.length;
  let messages = batch.broadcasts.length;
  if (batch.origins.has(stream.sid)) messages = pushOthers(blocks, batch.broadcasts, stream.sid);
  else if (batch.shared) blocks.push(batch.shared);
  messages += pushOthers(blocks, subscriber.entries, stream.sid);

  if (blocks.length > 0) {
    const id = blocks.length > withoutId ? `${subscriber.idPart}~${batch.idPart}` : undefined;
    const isOnlyPresence = presence && blocks.length === 1;
    const sharesLarge = stream.backpressure.isSlow && blocks.some(({ length }) => length >= LARGE_BYTES);
    const bytes = isOnlyPresence
      ? presence.alone
      : sharesLarge
        ? pieces(blocks, id)
        : burst(glue(blocks), id);
    if (!stream.backpressure.hasRoom(bytes, messages)) {
      stream.skip(ack, presence !== undefined); // before fallBehind, which may make the stream live again immediately
      stream.fallBehind('slow');
      return 0;
    }
    stream.feed(bytes);
  }
  stream.replay.at = { inbox: subscriber.follower.end, broadcasts: batch.end };
  return messages;
}

/** Append the entries that other sessions sent. */
function pushOthers(blocks: Buffer[], entries: FramedEntry[], sid: string): number {
  let count = 0;
  for (const { origin, block } of entries) {
    if (origin === sid) continue;
    blocks.push(block);
    count += 1;
  }
  return count;
}
