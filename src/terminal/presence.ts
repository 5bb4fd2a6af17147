/**
 * Who is online, kept right by the stream's presence events. Names are kept only while the server tells them: above its
 * limit there is the number alone.
 */
import type { OnlineUser, StreamEvent } from '../client/index.ts';

type PresenceEvent = Extract<StreamEvent, { kind: 'presence' }>;
export type Presence = ReturnType<typeof createPresence>;

export function createPresence() {
  const names = new Set<string>();
  let total = 0;
  /** Came while a list was on its way: that list may be older. */
  let since: PresenceEvent[] | undefined;

  function apply(event: PresenceEvent): void {
    total = event.total;
    for (const name of event.online ?? []) names.add(name);
    for (const name of event.offline ?? []) names.delete(name);
    since?.push(event);
  }

  return {
    names: (): readonly string[] => [...names].sort((a, b) => a.localeCompare(b)),
    has: (name: string): boolean => names.has(name),
    total: (): number => total,
    count(online: number): void {
      total = online;
    },
    apply,
    /** Replaces everything by a list that `fetch` gets; without one everything stays. */
    async load(fetch: () => Promise<{ total: number; users: OnlineUser[] } | undefined>): Promise<void> {
      const missed: PresenceEvent[] = [];
      since = missed;
      const page = await fetch();
      if (since !== missed) return; // a newer load has started
      since = undefined;
      if (!page) return;
      names.clear();
      total = page.total;
      for (const { username } of page.users) names.add(username);
      for (const event of missed) apply(event);
    },
  };
}
