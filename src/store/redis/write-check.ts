/**
 * Whether this node can write, and still to the database that it began with. A ping proves neither: a replica replies to
 * it, and so does a server into which another backup was loaded.
 */
import { DATA_VERSION } from '../data-version.ts';
import type { Store } from './client.ts';
import { StoreUnavailable } from './error-replies.ts';

export type WriteCheck = ReturnType<typeof createWriteCheck>;

/** `channel`: gets a message with each check. `onReplaced` is called once, when Redis holds another database. */
export function createWriteCheck(store: Store, channel: string, onReplaced: () => void) {
  const { keys, realm, run } = store;
  let pending: Promise<void> | undefined;
  let isReplaced = false;

  async function write(): Promise<void> {
    // A database that was emptied keeps its realm: the other nodes, which know it, stay on the same channels.
    const found = await run('realm-open', [keys.realm], [realm, channel, DATA_VERSION]);
    if (found === realm) return;
    if (!isReplaced) onReplaced();
    isReplaced = true;
    throw new StoreUnavailable('Redis holds another database');
  }

  return {
    /** Throws as `Store.run` does, also if the database was replaced. Concurrent calls share one write. */
    check: (): Promise<void> => {
      pending ??= write().finally(() => {
        pending = undefined;
      });
      return pending;
    },
  };
}
