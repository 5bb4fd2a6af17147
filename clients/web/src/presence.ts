/** Who is online: the list as it was asked for, and the changes that the stream tells since. */
import type { Parley, StreamEvent } from '@parley-chat/client';
import { learnNames } from './names.ts';
import type { Store } from './state.ts';

/** More names than anybody reads. Beyond it there is the number, and a field to write a name in. */
const LISTED = 500;

export type Presence = ReturnType<typeof createPresence>;

export function createPresence(parley: Parley, { state, changed }: Store) {
  let asked = 0;
  /** What changed while the list was on its way: it may be older than that. */
  let since = new Map<string, boolean>();

  return {
    async ask(): Promise<void> {
      const turn = ++asked;
      const mine = new Map<string, boolean>();
      since = mine;
      const { data } = await parley.listOnline({ limit: LISTED });
      if (!data || turn !== asked) return;
      state.online = new Set(data.users.map(({ username }) => username));
      learnNames(state, data.users);
      for (const [name, isOnline] of mine) put(name, isOnline);
      state.onlineTotal = data.total;
      changed();
    },
    tell({ online = [], offline = [], total }: Extract<StreamEvent, { kind: 'presence' }>): void {
      for (const name of online) put(name, true);
      for (const name of offline) put(name, false);
      state.onlineTotal = total;
      changed();
    },
  };

  function put(name: string, isOnline: boolean): void {
    since.set(name, isOnline);
    if (isOnline) state.online.add(name);
    else state.online.delete(name);
  }
}
