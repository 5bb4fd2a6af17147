/** Resolves names to accounts, and registers new usernames. */
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import { unknownUser } from './model.ts';
import { Problem } from './problems.ts';
import { createSkeletonReservations, RETRY_AFTER_MS, type ReservationLog } from './skeleton-reservations.ts';
import { skeletonDigest, usernamesOf } from './usernames.ts';

/** An account is created within this time of reserving its skeleton, or not at all. The reservation lasts much longer. */
const CREATE_WITHIN_MS = 15_000;

export type UsernameRegistry = ReturnType<typeof createUsernameRegistry>;

export function createUsernameRegistry({ store, log }: { store: AccountStore; log: ReservationLog }) {
  const reservations = createSkeletonReservations({ store, log });

  /** Returns the account's username, or undefined if the name is not valid. Most names need no Redis command. */
  async function resolve(name: string): Promise<string | undefined> {
    const [preferred, other] = usernamesOf(name);
    if (preferred === undefined || other === undefined) return preferred;
    return (await store.exists(preferred)) ? preferred : other;
  }

  return {
    start: reservations.start,
    stop: reservations.stop,
    resolve,

    /** Resolves a name in a path; an invalid username has no account. */
    async resolveOrUnknown(name: string): Promise<string> {
      const username = await resolve(name);
      if (username === undefined) throw unknownUser();
      return username;
    },

    /** Call before hashing the password, which is slow. */
    async checkFree(username: string): Promise<void> {
      if (!reservations.isComplete()) throw notReady();
      const holder = await store.findHolder(skeletonDigest(username));
      if (holder !== undefined) throw holder === username ? usernameTaken() : skeletonTaken();
    },

    async register(account: Omit<AccountRecord, 'skeleton'>): Promise<void> {
      const skeleton = skeletonDigest(account.username);
      const startedAtMs = performance.now();
      const holder = await store.reserveSkeleton(account.username, skeleton);
      if (holder !== undefined) throw skeletonTaken();
      // A node that was suspended meanwhile may have lost the reservation.
      if (performance.now() - startedAtMs > CREATE_WITHIN_MS) throw interrupted();
      if ((await store.create({ ...account, skeleton })) === 'taken') throw usernameTaken();
    },

    /** Call at login: an account created by a node of an older release has not reserved its skeleton. */
    async reserveIfMissing({ username, skeleton }: AccountRecord): Promise<void> {
      if (skeleton !== skeletonDigest(username)) await reservations.reserve(username);
    },
  };
}

const notReady = () =>
  new Problem(
    'unavailable',
    'The server is still reserving the usernames of existing accounts. Try again in 1 second.',
    { retryAfterMs: RETRY_AFTER_MS },
  );
const interrupted = () =>
  new Problem('unavailable', 'The registration was interrupted. Try again.', {
    retryAfterMs: RETRY_AFTER_MS,
  });
const usernameTaken = () =>
  new Problem('username_taken', 'An account already has this username. Choose another one.');
const skeletonTaken = () =>
  new Problem('username_taken', 'An account already has a username that looks the same. Choose another one.');
