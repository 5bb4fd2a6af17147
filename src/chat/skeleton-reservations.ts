/**
 * Reserves the skeletons of usernames, so that no two accounts look the same. Accounts that were created under older rules
 * keep their names; at startup their skeletons are reserved before new registrations are accepted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountStore } from '../store/accounts.ts';
import { SKELETON_VERSION, skeletonDigest } from './usernames.ts';

export type ReservationLog = { info(message: string): void };
export type SkeletonReservations = ReturnType<typeof createSkeletonReservations>;

export const RETRY_AFTER_MS = 1_000;

export function createSkeletonReservations({ store, log }: { store: AccountStore; log: ReservationLog }) {
  let isComplete = false;
  let isStopped = false;

  async function reserve(username: string): Promise<void> {
    const skeleton = skeletonDigest(username);
    await store.reserveSkeleton(username, skeleton); // if two old accounts look the same, the first one keeps it
    await store.setSkeleton(username, skeleton);
  }

  /** Reads all accounts once, in batches. */
  async function reserveAll(): Promise<void> {
    let count = 0;
    for (let cursor: string | undefined = '0'; cursor !== undefined && !isStopped; ) {
      try {
        const part = await store.scan(cursor);
        await Promise.all(part.usernames.map(reserve));
        count += part.usernames.length;
        cursor = part.cursor;
        if (cursor === undefined) await store.setSkeletonVersion(SKELETON_VERSION);
      } catch {
        await sleep(RETRY_AFTER_MS, undefined, { ref: false }); // Redis is unavailable: retry from the same position
      }
    }
    isComplete = !isStopped;
    if (isComplete) log.info(`reserved the skeletons of ${count} existing usernames`);
  }

  return {
    reserve,
    isComplete: (): boolean => isComplete,

    /**
     * Call before this node writes anything to Redis: a Redis that no node has used has no accounts, so nothing is to be
     * reserved. Otherwise it continues in the background.
     */
    async start(): Promise<void> {
      const version = await store.skeletonVersion();
      if (version === 'fresh') await store.setSkeletonVersion(SKELETON_VERSION);
      if (version === 'fresh' || version === SKELETON_VERSION) isComplete = true;
      else void reserveAll();
    },

    stop(): void {
      isStopped = true;
    },
  };
}
