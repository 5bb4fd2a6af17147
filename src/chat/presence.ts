/** The list of online users. */
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { OnlinePart } from '../store/online-list.ts';
import type { PresenceStore } from '../store/presence.ts';
import { createOnlineSummary, type OnlineUser } from './online-summary.ts';
import { invalid } from './problems.ts';

export type OnlinePage = components['schemas']['OnlinePage'];
export type Presence = ReturnType<typeof createPresence>;

export function createPresence({ store, accounts }: { store: PresenceStore; accounts: AccountStore }) {
  async function toUsers({ users }: OnlinePart): Promise<OnlineUser[]> {
    const displayNames = await accounts.displayNames(users.map(({ username }) => username));
    return users.map(({ username, sinceMs }, index) => ({
      username,
      displayName: displayNames[index] ?? username,
      since: new Date(sinceMs).toISOString(),
    }));
  }

  return {
    async list(limit: number, cursor: string | null, signal?: AbortSignal): Promise<OnlinePage> {
      const part = await store.list(limit, cursor, { signal });
      if (!part)
        throw invalid('query/cursor', 'is not a cursor of this list. Use the `nextCursor` of a page');
      signal?.throwIfAborted();
      return { ...part, users: await toUsers(part) };
    },

    /** For the response to a login or refresh. */
    summary: createOnlineSummary({ store, accounts }),
  };
}
