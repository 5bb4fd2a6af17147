/** The list of online users. */
import type { components } from '../contract.d.ts';
import type { AccountStore } from '../store/accounts.ts';
import type { PresenceStore } from '../store/presence.ts';
import { invalid } from './problems.ts';

export type OnlinePage = components['schemas']['OnlinePage'];
export type Presence = ReturnType<typeof createPresence>;

export function createPresence({ store, accounts }: { store: PresenceStore; accounts: AccountStore }) {
  async function list(limit: number, cursor: string | null, signal?: AbortSignal): Promise<OnlinePage> {
    const part = await store.list(limit, cursor, signal);
    if (!part) throw invalid('query/cursor', 'is not a cursor of this list. Use the `nextCursor` of a page');
    signal?.throwIfAborted();
    const displayNames = await accounts.displayNames(part.users.map(({ username }) => username));
    const users = part.users.map(({ username, sinceMs }, index) => ({
      username,
      displayName: displayNames[index] ?? username,
      since: new Date(sinceMs).toISOString(),
    }));
    return { ...part, users };
  }

  return {
    list,

    async summary(limit: number): Promise<Pick<OnlinePage, 'total' | 'users'>> {
      const { total, users } = await list(limit, null);
      return { total, users };
    },
  };
}
