/** Whether this node should receive requests: it is not shutting down, and Redis responds. */
import { Problem } from './chat/problems.ts';
import type { Store } from './store/redis/client.ts';
import type { PubSub } from './store/redis/pubsub.ts';

const READY_WITHIN_MS = 1_000;
const RETRY_AFTER_MS = 1_000;

const unavailable = (detail: string) => new Problem('unavailable', detail, { retryAfterMs: RETRY_AFTER_MS });

/** Returns a check that throws a problem when the node is not ready. */
export function createReadinessCheck(node: { store: Store; pubsub: PubSub; isClosing: () => boolean }) {
  const { store, pubsub, isClosing } = node;
  return async (): Promise<void> => {
    if (isClosing()) throw unavailable('This node is shutting down.');
    if (!store.isConnected()) throw unavailable('Redis is not connected.');
    if (!pubsub.isReceiving()) throw unavailable('The Redis subscription is not receiving messages.');
    await inTime(store.attempt(store.commands.ping()));
  };
}

async function inTime(ping: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    const problem = unavailable('Redis does not respond.');
    timer = setTimeout(() => reject(problem), READY_WITHIN_MS);
  });
  await Promise.race([ping, timeout]).finally(() => clearTimeout(timer));
}
