/**
 * Who is online, as one device that listens believes: it fetches the list when its stream begins and when it is told that
 * changes were skipped, and applies what it is told in between, as the contract says.
 */
import { setTimeout as sleep } from 'node:timers/promises';

export type Watch = {
  /** The names in order, or undefined while the list is being fetched. */
  believed(): string[] | undefined;
  /** A `ready` or `presence` event. */
  hear(kind: 'ready' | 'presence', data: Changes): void;
};
type Changes = { online?: string[]; offline?: string[]; resync?: boolean };

const RETRY_MS = 250;

/** `fetchList` resolves undefined when there was no answer. */
export function createWatch(fetchList: () => Promise<string[] | undefined>): Watch {
  let online = new Set<string>();
  let fetching: object | undefined;
  /** What was told since the fetch began: the list may be older, or newer; in the end it is the same. */
  let told: Changes[] = [];

  function apply({ online: came = [], offline: went = [] }: Changes): void {
    for (const name of came) online.add(name);
    for (const name of went) online.delete(name);
  }

  async function fetch(): Promise<void> {
    const mine = {};
    fetching = mine;
    told = [];
    let list: string[] | undefined;
    while (!list && fetching === mine) {
      list = await fetchList();
      if (!list) await sleep(RETRY_MS, undefined, { ref: false });
    }
    if (!list || fetching !== mine) return;
    fetching = undefined;
    online = new Set(list);
    for (const changes of told) apply(changes);
  }

  return {
    believed: () => (fetching ? undefined : [...online].sort()),
    hear: (kind, data) => {
      if (kind === 'ready' || data.resync) void fetch();
      else if (fetching) told.push(data);
      else apply(data);
    },
  };
}
