/**
 * Events as bytes (WHATWG HTML, section 9.2.5). An event is encoded once, however many streams it goes to. A block is
 * `event:` and `data:` without the blank line that ends it, so that a burst can be glued from shared and own blocks
 * and only its last event carries this stream's `id:`. Pure.
 */
import type { components } from '../contract.d.ts';
import { type Entry, isTombstone } from '../store/log/log-store.ts';

export type StreamEvent = components['schemas']['StreamEvent'];
/** Events that the server words itself; `dm` and `broadcast` go out as the log holds them. */
export type OwnEvent = Exclude<StreamEvent, { kind: 'dm' | 'broadcast' }>;

const NEWLINE = Buffer.from('\n');

/** `json` is one line: JSON.stringify escapes CR and LF, and nothing else ends a line in an event stream. */
export function block(kind: StreamEvent['kind'], json: string): Buffer {
  return Buffer.from(`event: ${kind}\ndata: ${json}\n`);
}

export function ownBlock(event: OwnEvent): Buffer {
  return block(event.kind, JSON.stringify(event));
}

/** In place of messages that were evicted from a full inbox. */
export function evictedBlock(from: number, to: number): Buffer {
  return ownBlock({ kind: 'gap', log: 'inbox', from, to, reason: 'overflow', history: 'dm' });
}

/** Tombstones that stand together become one gap. */
export function mergeEvicted<E extends Entry & { block: Buffer }>(entries: E[]): E[] {
  const merged: E[] = [];
  let from = 0;
  for (const entry of entries) {
    const isRun = from > 0 && isTombstone(entry);
    if (isRun) merged.pop();
    else from = isTombstone(entry) ? entry.seq : 0;
    merged.push(isRun ? { ...entry, block: evictedBlock(from, entry.seq) } : entry);
  }
  return merged;
}

/** Blocks as one, each ended but the last. */
export function glue(blocks: Buffer[]): Buffer {
  if (blocks.length === 1) return blocks[0]!;
  const parts: Buffer[] = [];
  for (const each of blocks) parts.push(each, NEWLINE);
  parts.pop();
  return Buffer.concat(parts);
}

/** A sign of life, as who opened the stream asked for it: an `EventSource` never sees a comment. Neither has an id. */
export const HEARTBEATS = {
  comment: Buffer.from(':\n\n'),
  event: Buffer.concat([ownBlock({ kind: 'heartbeat' }), NEWLINE]),
};

/** A burst ready to be written: glued blocks, with the last event's `id:` where there is one. */
export function burst(glued: Buffer, id: string | undefined): Buffer {
  const end = id === undefined ? '\n' : `id: ${id}\n\n`;
  const bytes = Buffer.allocUnsafe(glued.length + end.length);
  glued.copy(bytes);
  bytes.write(end, glued.length, 'latin1');
  return bytes;
}

/** From this size on a block is not copied for each slow stream: what hundreds of them hold is then one copy. */
export const LARGE_BYTES = 8 * 1024;

/** A burst as it is written: what is small is glued, what is large stays as it is. */
export function pieces(blocks: Buffer[], id: string | undefined): Buffer[] {
  const written: Buffer[] = [];
  let small: Buffer[] = [];
  for (const [index, each] of blocks.entries()) {
    if (index > 0) small.push(NEWLINE);
    if (each.length < LARGE_BYTES) {
      small.push(each);
      continue;
    }
    if (small.length > 0) written.push(Buffer.concat(small));
    small = [];
    written.push(each);
  }
  small.push(id === undefined ? NEWLINE : Buffer.from(`id: ${id}\n\n`, 'latin1'));
  written.push(Buffer.concat(small));
  return written;
}

/** The line that tells a reader how long to wait before it comes back, by itself or in front of an event. */
export const retryLine = (ms: number): Buffer => Buffer.from(`retry: ${ms}\n`);
