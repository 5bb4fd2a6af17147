/**
 * Checks the memory use of Redis with every heartbeat. Above the watermark nothing more is stored, so that the
 * remaining memory serves reads, acknowledgements, logins and open sessions. There is no watermark if Redis has no
 * limit or does not report one.
 */
import { totalmem } from 'node:os';
import type { Store, StoreLog } from './redis/client.ts';

const [SECTION, SET, MAXMEMORY] = ['memory', 'SET', 'maxmemory'] as const;
/** Valkey in WebAssembly addresses 4 GiB, and shares the memory of the process. */
const MAX_EPHEMERAL_BYTES = 1024 ** 3;

export type MemoryWatermark = ReturnType<typeof createMemoryWatermark>;

/** Half of the memory of this machine or control group. */
export function defaultMaxMemory(isEphemeral: boolean): number {
  const available = Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
  return Math.floor(Math.min(available / 2, isEphemeral ? MAX_EPHEMERAL_BYTES : available));
}

export function createMemoryWatermark(
  store: Store,
  options: {
    markPercent: number;
    /** For a private Redis without a memory limit: set one. It may have restarted without it. */
    maxMemory: number | undefined;
    log: Pick<StoreLog, 'warn' | 'info'>;
  },
) {
  const { markPercent, maxMemory, log } = options;
  let isFull = false;

  return {
    isFull: (): boolean => isFull,

    /** Never fails: if the memory use is unknown, Parley continues, and Redis itself reports when it is full. */
    async check(): Promise<void> {
      const info = await store.attempt(store.commands.info(SECTION)).catch(() => '');
      const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
      const [used, max] = [field('used_memory'), field('maxmemory')];
      const wasFull = isFull;
      isFull = max > 0 && used > (max * markPercent) / 100;
      if (isFull && !wasFull)
        log.warn(`Redis uses ${used} of ${max} bytes: sends and registrations are rejected`);
      if (wasFull && !isFull) log.info('Redis has free memory again: sends and registrations are accepted');
      if (info && max === 0 && maxMemory)
        await store.attempt(store.commands.config(SET, MAXMEMORY, maxMemory)).catch(() => {});
    },
  };
}
