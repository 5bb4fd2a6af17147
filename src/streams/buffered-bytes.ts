/**
 * What all streams of this node together have written and their sockets have not taken. Each may hold MAX_STREAM_BYTES;
 * very many slow ones may not: above the sum only those get something that hold nothing.
 */
const MOST_BYTES = 32 * 1024 * 1024;
/** A crowd may hold more: this much each. */
const EACH_BYTES = 8 * 1024;

export type BufferedBytes = ReturnType<typeof createBufferedBytes>;

export function createBufferedBytes(streams: () => number) {
  let sum = 0;
  return {
    changed(bytes: number): void {
      sum += bytes;
    },
    hasRoom: (bytes: number): boolean => sum + bytes <= Math.max(MOST_BYTES, EACH_BYTES * streams()),
  };
}
