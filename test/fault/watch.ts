/**
 * One device's view of who is online: it fetches the list when its stream starts or asks for a resync, and applies presence
 * events in between, as the contract specifies.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type Watch = {
  /** The sorted names, or undefined while the list is being fetched. */
  believed(): string[] | undefined;
  /** Applies a `ready` or `presence` event. */
  apply(kind: 'ready' | 'presence', data: Changes): void;
};
type Changes = { online?: string[]; offline?: string[]; resync?: boolean };

const RETRY_MS = 250;

/** `fetchList` resolves with undefined if there was no response. */
export function createWatch(fetchList: () => Promise<string[] | undefined>): Watch {
  let online = new Set<string>();
  let fetching: object | undefined;
  /** Changes since the fetch began. The list may be older or newer than them; applying them leads to the same result. */
  let pending: Changes[] = [];

  function update({ online: joined = [], offline: left = [] }: Changes): void {
    for (const name of joined) online.add(name);
    for (const name of left) online.delete(name);
  }

  async function fetch(): Promise<void> {
    const current = {};
    fetching = current;
    pending = [];
    let list: string[] | undefined;
    while (!list && fetching === current) {
      list = await fetchList();
      if (!list) await sleep(RETRY_MS, undefined, { ref: false });
    }
    if (!list || fetching !== current) return;
    fetching = undefined;
    online = new Set(list);
    for (const changes of pending) update(changes);
  }

  return {
    believed: () => (fetching ? undefined : [...online].sort()),
    apply: (kind, data) => {
      if (kind === 'ready' || data.resync) void fetch();
      else if (fetching) pending.push(data);
      else update(data);
    },
  };
}
