/** Whether this node should receive requests: it is not shutting down, and Redis accepts its writes. */
import { Problem } from './chat/problems.ts';
import type { Store } from './store/redis/client.ts';
import type { PubSub } from './store/redis/pubsub.ts';
import type { WriteCheck } from './store/redis/write-check.ts';

const READY_WITHIN_MS = 1_000;
const RETRY_AFTER_MS = 1_000;

const unavailable = (detail: string) => new Problem('unavailable', detail, { retryAfterMs: RETRY_AFTER_MS });

/** Returns a check that throws a problem when the node is not ready. */
export function createReadinessCheck(node: {
  redis: Store;
  pubsub: PubSub;
  writeCheck: WriteCheck;
  isClosing: () => boolean;
}) {
  const { redis, pubsub, writeCheck, isClosing } = node;
  return async (): Promise<void> => {
    if (isClosing()) throw unavailable('This node is shutting down.');
    if (!redis.isConnected()) throw unavailable('Redis is not connected.');
    if (!pubsub.isReceiving()) throw unavailable('The Redis subscription is not receiving messages.');
    await inTime(writeCheck.check());
  };
}

async function inTime(write: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const problem = unavailable('Redis does not respond.');
    timer = setTimeout(() => reject(problem), READY_WITHIN_MS);
  });
  await Promise.race([write, timeout]).finally(() => clearTimeout(timer));
}
