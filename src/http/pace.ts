/**
 * How many requests are begun in one turn of the event loop. A thousand that come in the same moment would be read one
 * after the other, and whoever came last would wait for all of them. So a network that sends more than its share in one
 * turn is read a few connections at a time: what others send meanwhile, and what Redis answers, comes in between.
 */
import type { Connection } from './connection.ts';
import type { Party } from './parties.ts';

/** As many as are begun in one turn before anybody is held: what is usual costs nothing. */
const AT_ONCE = 64;
/** How many connections are read again in each turn. */
const RELEASED = 16;

/** `connections`: all that are no streams. */
export function createPace(connections: ReadonlySet<Connection>) {
  /** How many requests each network has begun in this turn. */
  const begun = new Map<Party, number>();
  /** Of the networks that had too many: the connections that are not read until it is their turn. */
  const held = new Map<Party, Set<Connection>>();
  let total = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(nextTurn);
  }

  function nextTurn(): void {
    isScheduled = false;
    begun.clear();
    total = 0;
    if (held.size > 0) schedule();
    for (let released = 0; released < RELEASED && held.size > 0; )
      for (const [network, line] of held) {
        const [connection] = line;
        if (connection) {
          line.delete(connection);
          connection.release();
          released += 1;
        }
        if (line.size === 0) held.delete(network);
      }
  }

  function hold(network: Party, but: Connection): void {
    const line = new Set<Connection>();
    for (const connection of connections) {
      if (connection.parties?.[0] !== network || connection === but) continue;
      connection.hold();
      line.add(connection);
    }
    held.set(network, line);
  }

  return {
    /** A request has begun. What came through a trusted proxy is the proxy's to spread. */
    began(connection: Connection): void {
      const network = connection.parties?.[0];
      if (!network) return;
      schedule();
      total += 1;
      const own = (begun.get(network) ?? 0) + 1;
      begun.set(network, own);
      if (total > AT_ONCE && own * begun.size > AT_ONCE && !held.has(network)) hold(network, connection);
    },
  };
}
