/** Message ids: UUID version 7 (RFC 9562), so that they sort by time. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const BYTES = 16;
/** Random bytes for 256 ids: one call per id would cost more than everything else. */
const pool = new Uint8Array(256 * BYTES);
let used = pool.length;

export function newMessageId(nowMs: number): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const random = pool.subarray(used, used + BYTES);
  used += BYTES;
  return v7({ random, msecs: Math.floor(nowMs) });
}
