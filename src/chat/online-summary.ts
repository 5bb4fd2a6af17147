/**
 * Who is online, as a login or refresh reports it: the number, and some of the users. Kept in memory and changed by the
 * published changes, so that a login does not read the list.
 */
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { OnlineRecord } from '../store/online-list.ts';
import type { PresenceMessage } from '../store/online-sizes.ts';
import type { PresenceStore } from '../store/presence.ts';

/** Maximum number of users in a summary. */
const MAX_USERS = 100;
/** The users are read again after this long, in case a change was missed without notice. */
const MAX_AGE_MS = 30_000;
/** The users are not read more often than this, unless changes were missed. */
const MIN_AGE_MS = 1_000;

export type OnlineUser = components['schemas']['OnlineUser'];
type Entry = OnlineRecord & { displayName: string | undefined };

export function createOnlineSummary({ store, accounts }: { store: PresenceStore; accounts: AccountStore }) {
  const { sizes } = store;
  const entries = createEntries();
  let readAtMs = Number.NEGATIVE_INFINITY;
  let misses = -1;
  let updating: Promise<void> | undefined;
  /** Changes received while the list is being read. */
  let received: PresenceMessage[] | undefined;

  function mustRead(): boolean {
    if (misses !== sizes.missCount()) return true;
    const ageMs = performance.now() - readAtMs;
    const isIncomplete = entries.size() !== Math.min(MAX_USERS, sizes.total());
    return ageMs > MAX_AGE_MS || (isIncomplete && ageMs > MIN_AGE_MS);
  }

  async function read(): Promise<void> {
    received = [];
    const missesBefore = sizes.missCount();
    readAtMs = Number.NEGATIVE_INFINITY; // if reading fails, the received changes are missing
    try {
      const part = await store.list(MAX_USERS, null, { sizes: sizes.ofShards() });
      entries.replace(part?.users ?? []);
      for (const message of received) entries.apply(message);
      [readAtMs, misses] = [performance.now(), missesBefore];
    } finally {
      received = undefined;
    }
  }

  async function update(): Promise<void> {
    if (mustRead()) await read();
    const unnamed = entries.unnamed();
    if (unnamed.length === 0) return;
    const names = await accounts.displayNames(unnamed.map(({ username }) => username));
    for (const [index, entry] of unnamed.entries()) entry.displayName = names[index];
  }

  return {
    /** Handle a published change. */
    receive(message: PresenceMessage): void {
      if (received) received.push(message);
      else entries.apply(message);
    },

    async get(): Promise<{ total: number; users: OnlineUser[] }> {
      updating ??= update().finally(() => {
        updating = undefined;
      });
      await updating;
      return { total: sizes.total(), users: entries.users() };
    },
  };
}

/** Up to MAX_USERS users who are online. The display name of a user is unknown until it is read. */
function createEntries() {
  let entries = new Map<string, Entry>();
  const withoutName = ({ username, sinceMs }: OnlineRecord): Entry => ({
    username,
    sinceMs,
    displayName: undefined,
  });

  return {
    size: (): number => entries.size,

    unnamed: (): Entry[] => [...entries.values()].filter(({ displayName }) => displayName === undefined),

    replace(records: OnlineRecord[]): void {
      entries = new Map(records.map((record) => [record.username, withoutName(record)]));
    },

    apply(message: PresenceMessage): void {
      if (message.kind === 'offline') for (const username of message.usernames) entries.delete(username);
      else if (message.kind === 'online') {
        if (entries.size < MAX_USERS) entries.set(message.username, withoutName(message));
      } else {
        // Replace the entry: a read that returns the old name may still be in flight.
        const entry = entries.get(message.username);
        if (entry) entries.set(message.username, withoutName(entry));
      }
    },

    users: (): OnlineUser[] =>
      [...entries.values()].map(({ username, displayName, sinceMs }) => ({
        username,
        displayName: displayName ?? username,
        since: new Date(sinceMs).toISOString(),
      })),
  };
}
