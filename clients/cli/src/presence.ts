/**
 * The online users, updated by the stream's presence events. Above a limit set by the server, events carry only the
 * number of users, not their names.
 */
import type { OnlineUser, StreamEvent } from '@parley-chat/client';

type PresenceEvent = Extract<StreamEvent, { kind: 'presence' }>;
export type Presence = ReturnType<typeof createPresence>;

export function createPresence() {
  const names = new Set<string>();
  let total = 0;
  /** Events received during a load: the loaded list may be older than they are. */
  let eventsDuringLoad: PresenceEvent[] | undefined;

  function apply(event: PresenceEvent): void {
    total = event.total;
    for (const name of event.online ?? []) names.add(name);
    for (const name of event.offline ?? []) names.delete(name);
    eventsDuringLoad?.push(event);
  }

  return {
    names: (): readonly string[] => [...names].sort((a, b) => a.localeCompare(b)),
    has: (name: string): boolean => names.has(name),
    total: (): number => total,
    setTotal(online: number): void {
      total = online;
    },
    apply,
    /** Replaces the state with the page returned by `fetch`; if there is none, nothing changes. */
    async load(fetch: () => Promise<{ total: number; users: OnlineUser[] } | undefined>): Promise<void> {
      const missed: PresenceEvent[] = [];
      eventsDuringLoad = missed;
      const page = await fetch();
      if (eventsDuringLoad !== missed) return; // a newer load has started
      eventsDuringLoad = undefined;
      if (!page) return;
      names.clear();
      total = page.total;
      for (const { username } of page.users) names.add(username);
      for (const event of missed) apply(event);
    },
  };
}
