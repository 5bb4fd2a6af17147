/**
 * How full Redis' memory is, looked at with every heartbeat. Above the mark nothing more is stored, so that what is left
 * serves those who read, acknowledge, log in and go on. Where Redis has no limit, or does not tell, there is no mark.
 */
import { totalmem } from 'node:os';
import type { Store, StoreLog } from './redis/client.ts';

const [SECTION, SET, MAXMEMORY] = ['memory', 'SET', 'maxmemory'] as const;
/** Valkey in WebAssembly addresses 4 GiB, and shares the process' memory. */
const MOST_EPHEMERAL_BYTES = 1024 ** 3;

export type MemoryWatermark = ReturnType<typeof createMemoryWatermark>;

/** Half of what this machine, or this control group, has. */
export function defaultMaxMemory(isEphemeral: boolean): number {
  const available = Math.min(totalmem(), process.constrainedMemory?.() || Number.POSITIVE_INFINITY);
  return Math.floor(Math.min(available / 2, isEphemeral ? MOST_EPHEMERAL_BYTES : available));
}

export function createMemoryWatermark(
  store: Store,
  options: {
    markPercent: number;
    /** Of a private Redis that has no limit: set it. It may have been started again without one. */
    maxMemory: number | undefined;
    log: Pick<StoreLog, 'warn' | 'info'>;
  },
) {
  const { markPercent, maxMemory, log } = options;
  let isFull = false;

  return {
    isFull: (): boolean => isFull,

    /** Never fails: who cannot know goes on, and is told by Redis itself when it is full. */
    async look(): Promise<void> {
      const info = await store.attempt(store.commands.info(SECTION)).catch(() => '');
      const field = (name: string) => Number(new RegExp(`^${name}:(\\d+)`, 'm').exec(info)?.[1] ?? 0);
      const [used, most] = [field('used_memory'), field('maxmemory')];
      const was = isFull;
      isFull = most > 0 && used > (most * markPercent) / 100;
      if (isFull && !was)
        log.warn(`Redis uses ${used} of ${most} bytes: sends and registrations are refused`);
      if (was && !isFull) log.info('Redis has room again: sends and registrations go on');
      if (info && most === 0 && maxMemory)
        await store.attempt(store.commands.config(SET, MAXMEMORY, maxMemory)).catch(() => {});
    },
  };
}
