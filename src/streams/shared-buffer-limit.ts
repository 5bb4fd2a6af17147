/**
 * Bytes that all streams of this node have written and their sockets have not sent yet. Each stream may buffer
 * MAX_STREAM_BYTES, but not thousands of them together: above the shared limit, only streams with an empty buffer may
 * write.
 */
const MAX_BYTES = 32 * 1024 * 1024;
/** With many streams the shared limit grows: this much per stream. */
const BYTES_PER_STREAM = 8 * 1024;

export type SharedBufferLimit = ReturnType<typeof createSharedBufferLimit>;

export function createSharedBufferLimit(streams: () => number) {
  let sum = 0;
  return {
    add(bytes: number): void {
      sum += bytes;
    },
    hasRoom: (bytes: number): boolean => sum + bytes <= Math.max(MAX_BYTES, BYTES_PER_STREAM * streams()),
  };
}
