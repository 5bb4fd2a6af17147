/** Message ids: UUID version 7 (RFC 9562), which begins with the time; in base64url, as they are stored. */
import { randomFillSync } from 'node:crypto';
import { v7 } from 'uuid';

const ID_BYTES = 16;
/** Random bytes are drawn for many ids together: one call per id would dominate the cost. */
const IDS_PER_DRAW = 256;

/** Returns a function that creates an id for a time in epoch ms. */
export function createMessageIds(): (nowMs: number) => string {
  const randomBytes = new Uint8Array(IDS_PER_DRAW * ID_BYTES);
  const id = Buffer.alloc(ID_BYTES);
  let used = randomBytes.length;
  return (nowMs) => {
    if (used === randomBytes.length) {
      randomFillSync(randomBytes);
      used = 0;
    }
    const random = randomBytes.subarray(used, used + ID_BYTES);
    used += ID_BYTES;
    v7({ random, msecs: Math.floor(nowMs) }, id);
    return id.toString('base64url');
  };
}
