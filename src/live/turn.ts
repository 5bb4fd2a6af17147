/**
 * What one turn of the event loop gathered, and how it is written: once per stream, made of bytes that all share, bytes
 * of its own, and its `id:`.
 */
import type { Position } from '../store/logs.ts';
import { formatPosition } from './cursor.ts';
import { burst, glue, LARGE_BYTES, pieces } from './frame.ts';
import type { Reader } from './reader.ts';
import type { Stream } from './stream.ts';
import type { Framed } from './tail.ts';

/** Written in one turn, to all: nobody else is served meanwhile, but what is written in small pieces takes longer. */
const TURN_BYTES = 32 * 1024 * 1024;
/** But to each at least so much: a write itself takes as long as to copy that. */
const LEAST_BYTES = 8 * 1024;

export const bytesOfTurn = (maxStreamBytes: number, audience: number): number =>
  Math.min(maxStreamBytes / 2, Math.max(LEAST_BYTES, TURN_BYTES / audience));

/** After a long turn, fan-out waits as long as the turn took, so that it uses at most half of the event loop. */
const LONG_TURN_MS = 5;
const LONGEST_REST_MS = 15;

/** Until when the next turn waits. */
export function restAfter(startedAtMs: number): number {
  const nowMs = performance.now();
  const tookMs = nowMs - startedAtMs;
  return tookMs < LONG_TURN_MS ? 0 : nowMs + Math.min(LONGEST_REST_MS, tookMs);
}

/** A presence event: to be glued to others, and as the whole burst of the many streams that get nothing else. */
export type PresenceBytes = { block: Buffer; alone: Buffer };
/** As it goes to streams that asked for all, and to those that asked for the number. */
export type PresenceTold = { all: PresenceBytes; count: PresenceBytes };

export const presenceBytes = (block: Buffer): PresenceBytes => ({ block, alone: burst(block, undefined) });

export type Turn = {
  broadcasts: Framed[];
  /** The broadcasts as one, for everybody who sent none of them. */
  shared: Buffer | undefined;
  /** The sessions that sent some. */
  origins: Set<string>;
  presence: PresenceTold | undefined;
  /** Where the broadcasts stand after this turn. */
  frontier: Position;
  idPart: string;
};

export function createTurn(
  broadcasts: Framed[],
  frontier: Position,
  presence: PresenceTold | undefined,
): Turn {
  return {
    broadcasts,
    shared: broadcasts.length > 0 ? glue(broadcasts.map(({ block }) => block)) : undefined,
    origins: new Set(broadcasts.map(({ origin }) => origin)),
    presence,
    frontier,
    idPart: formatPosition(frontier),
  };
}

/** One write for one stream; answers how many messages were in it. */
export function feed(stream: Stream, reader: Reader, turn: Turn): number {
  const ack = reader.acks.findLast(({ sid }) => sid !== stream.sid)?.block;
  const presence = stream.presence === 'off' ? undefined : turn.presence?.[stream.presence];
  if (stream.state !== 'live') {
    stream.skip(ack, presence !== undefined);
    return 0;
  }
  // What has no id comes first: the id belongs to the last message.
  const blocks: Buffer[] = [];
  if (ack) blocks.push(ack);
  if (presence) blocks.push(presence.block);
  const withoutId = blocks.length;
  let messages = turn.broadcasts.length;
  if (turn.origins.has(stream.sid)) messages = pushOthers(blocks, turn.broadcasts, stream.sid);
  else if (turn.shared) blocks.push(turn.shared);
  messages += pushOthers(blocks, reader.arrived, stream.sid);

  if (blocks.length > 0) {
    const id = blocks.length > withoutId ? `${reader.idPart}~${turn.idPart}` : undefined;
    const isAlone = presence && blocks.length === 1;
    const isKept = stream.isSlow && blocks.some(({ length }) => length >= LARGE_BYTES);
    const bytes = isAlone ? presence.alone : isKept ? pieces(blocks, id) : burst(glue(blocks), id);
    if (!stream.hasRoom(bytes, messages)) {
      stream.skip(ack, presence !== undefined); // first: it may be live again at once
      stream.fallBehind('slow');
      return 0;
    }
    stream.feed(bytes);
  }
  stream.replay.at = { inbox: reader.tail.frontier, broadcasts: turn.frontier };
  return messages;
}

/** What this session did not send itself. */
function pushOthers(blocks: Buffer[], entries: Framed[], sid: string): number {
  let count = 0;
  for (const { origin, block } of entries) {
    if (origin === sid) continue;
    blocks.push(block);
    count += 1;
  }
  return count;
}
