/**
 * Resolves usernames to accounts and reserves names. Accounts created under older rules keep their names; the skeletons
 * of those names are reserved before new registrations are accepted.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AccountRecord, AccountStore } from '../store/accounts.ts';
import { unknownUser } from './model.ts';
import { Problem } from './problems.ts';
import { SKELETON_VERSION, skeletonDigest, usernamesOf } from './usernames.ts';

export type UsernameRegistry = ReturnType<typeof createUsernameRegistry>;
export type NamesLog = { info(message: string): void };

/** A retry is needed only after a concurrent or unfinished registration. */
const CLAIM_TRIES = 4;
const AGAIN_AFTER_MS = 1_000;

export function createUsernameRegistry({ store, log }: { store: AccountStore; log: NamesLog }) {
  let isIndexed = false;
  let isStopped = false;

  /** Repeats the script that claims a skeleton until the expected holder matches. */
  async function settle<Outcome extends string>(
    claim: (presumed: string) => Promise<[Outcome] | ['alike', string]>,
  ): Promise<Outcome | 'alike'> {
    let presumed = '';
    for (let tries = 0; tries < CLAIM_TRIES; tries += 1) {
      const [outcome, holder] = await claim(presumed);
      if (outcome !== 'alike' || holder === undefined || holder === presumed) return outcome;
      presumed = holder;
    }
    return 'alike';
  }

  async function claim(username: string): Promise<void> {
    const skeleton = skeletonDigest(username);
    await settle((presumed) => store.claim({ username, skeleton, presumed }));
  }

  /** Reads all accounts once, in batches. */
  async function index(): Promise<void> {
    let count = 0;
    for (let cursor: string | undefined = '0'; cursor !== undefined && !isStopped; ) {
      try {
        const part = await store.scan(cursor);
        await Promise.all(part.usernames.map(claim));
        count += part.usernames.length;
        cursor = part.cursor;
        if (cursor === undefined) await store.setSkeletonVersion(SKELETON_VERSION);
      } catch {
        await sleep(AGAIN_AFTER_MS, undefined, { ref: false }); // Redis is unreachable: retry from the same position
      }
    }
    isIndexed = !isStopped;
    if (isIndexed) log.info(`what the names of ${count} accounts look like is reserved for them`);
  }

  /** Resolves a name to its account, if any. Most names need no Redis command. */
  async function resolve(name: string): Promise<string | undefined> {
    const [first, second] = usernamesOf(name);
    if (first === undefined || second === undefined) return first;
    return (await store.exists(first)) ? first : second;
  }

  return {
    /** Before this node says anything to Redis: what no node ever used has no accounts. Goes on in the background. */
    async start(): Promise<void> {
      const found = await store.skeletonVersion();
      if (found === 'fresh') await store.setSkeletonVersion(SKELETON_VERSION);
      if (found === 'fresh' || found === SKELETON_VERSION) isIndexed = true;
      else void index();
    },

    stop(): void {
      isStopped = true;
    },

    resolve,

    /** Resolves a name in a path; an invalid username has no account. */
    async resolveOrUnknown(name: string): Promise<string> {
      const username = await resolve(name);
      if (username === undefined) throw unknownUser();
      return username;
    },

    /** Call before hashing the password, which is slow. */
    async checkFree(username: string): Promise<void> {
      if (!isIndexed) {
        const detail = 'The names of older accounts are being read. Try again in a moment.';
        throw new Problem('unavailable', detail, { retryAfterMs: AGAIN_AFTER_MS });
      }
      const holder = await store.findHolder(username, skeletonDigest(username));
      if (holder !== undefined) throw holder === username ? taken() : alike();
    },

    async register(account: Omit<AccountRecord, 'skeleton'>): Promise<void> {
      const record = { ...account, skeleton: skeletonDigest(account.username) };
      const outcome = await settle((presumed) => store.register(record, presumed));
      if (outcome !== 'created') throw outcome === 'taken' ? taken() : alike();
    },

    /** Call at login: an account created by a node of an older release has not reserved its skeleton. */
    async remember({ username, skeleton }: AccountRecord): Promise<void> {
      if (skeleton !== skeletonDigest(username)) await claim(username);
    },
  };
}

const taken = () => new Problem('username_taken', 'Somebody has this username already. Choose another one.');
const alike = () =>
  new Problem('username_taken', 'Somebody has a username that looks the same. Choose another one.');
