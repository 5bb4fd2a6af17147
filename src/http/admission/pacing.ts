/**
 * Limits how many requests start in one turn of the event loop. Without it, a thousand requests that arrive together are
 * all read before anything else happens. A network that exceeds its share of a turn has its connections paused, and they
 * are resumed a few per turn, so that requests from other networks and replies from Redis are handled in between.
 */
import type { Budget } from './budgets.ts';
import type { Connection } from './connection.ts';

/** Requests that may start in one turn before anything is paused, so that ordinary load pays nothing. */
const AT_ONCE = 64;
/** Paused connections that are resumed in each turn. */
const RELEASED = 16;

/** `connections`: every open connection that is not a stream. */
export function createPacing(connections: ReadonlySet<Connection>) {
  /** Requests that each network has started in this turn. */
  const begun = new Map<Budget, number>();
  /** The paused connections of each network that exceeded its share. */
  const held = new Map<Budget, Set<Connection>>();
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

  function hold(network: Budget, but: Connection): void {
    const line = new Set<Connection>();
    for (const connection of connections) {
      if (connection.budgets?.[0] !== network || connection === but) continue;
      connection.hold();
      line.add(connection);
    }
    held.set(network, line);
  }

  return {
    /** Call when a request starts. Connections from a trusted proxy are never paused: they carry many networks. */
    began(connection: Connection): void {
      const network = connection.budgets?.[0];
      if (!network) return;
      schedule();
      total += 1;
      const own = (begun.get(network) ?? 0) + 1;
      begun.set(network, own);
      if (total > AT_ONCE && own * begun.size > AT_ONCE && !held.has(network)) hold(network, connection);
    },
  };
}
