/** Rejects writes when Redis is out of memory. */
import { StoreFull } from '../store/redis/client.ts';
import { Problem } from './problems.ts';

export type StorageGuard = ReturnType<typeof createStorageGuard>;

const RETRY_AFTER_MS = 30_000;

export function createStorageGuard(isFull: () => boolean) {
  return {
    /** Runs the write, or throws `storage_full`. */
    async store<T>(write: () => Promise<T>): Promise<T> {
      if (isFull()) throw storageFull();
      try {
        return await write();
      } catch (error) {
        throw error instanceof StoreFull ? storageFull() : error;
      }
    },
  };
}

const storageFull = () =>
  new Problem('storage_full', 'The server is out of storage. Nothing was stored. Try again later.', {
    retryAfterMs: RETRY_AFTER_MS,
  });
