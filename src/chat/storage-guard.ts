/** Rejects writes when storage is full. */
import { StoreFull } from '../store/redis/client.ts';
import { Problem } from './problems.ts';

export type StorageGuard = ReturnType<typeof createStorageGuard>;

const RETRY_AFTER_MS = 30_000;

export function createStorageGuard(isFull: () => boolean) {
  const full = () =>
    new Problem('storage_full', 'The server’s memory is used up. Nothing was stored. Try again later.', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  return {
    /** Runs the write, or throws `storage_full`. */
    async store<T>(work: () => Promise<T>): Promise<T> {
      if (isFull()) throw full();
      try {
        return await work();
      } catch (error) {
        throw error instanceof StoreFull ? full() : error;
      }
    },
  };
}
