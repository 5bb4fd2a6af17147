/**
 * Limits how many requests start in one turn of the event loop. Without it, a thousand requests that arrive together are
 * all read before anything else happens. A network that exceeds its share of a turn has its connections paused, and they
 * are resumed a few per turn, so that requests from other networks and replies from Redis are handled in between.
 */
import type { Budget } from './budgets.ts';
import type { Connection } from './connection.ts';

/** Requests that may start in one turn before anything is paused, so that ordinary load is not affected. */
const MAX_PER_TURN = 64;
/** Paused connections that are resumed in each turn. */
const RELEASED_PER_TURN = 16;

/** `connections`: every open connection that is not a stream. */
export function createPacing(connections: ReadonlySet<Connection>) {
  /** Requests that each network has started in this turn. */
  const started = new Map<Budget, number>();
  /** The paused connections of each network that exceeded its share. */
  const paused = new Map<Budget, Set<Connection>>();
  let total = 0;
  let isScheduled = false;

  function schedule(): void {
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(nextTurn);
  }

  function nextTurn(): void {
    isScheduled = false;
    started.clear();
    total = 0;
    if (paused.size > 0) schedule();
    for (let released = 0; released < RELEASED_PER_TURN && paused.size > 0; )
      for (const [network, queue] of paused) {
        const [connection] = queue;
        if (connection) {
          queue.delete(connection);
          connection.release();
          released += 1;
        }
        if (queue.size === 0) paused.delete(network);
      }
  }

  function hold(network: Budget, except: Connection): void {
    const queue = new Set<Connection>();
    for (const connection of connections) {
      if (connection.budgets?.[0] !== network || connection === except) continue;
      connection.hold();
      queue.add(connection);
    }
    paused.set(network, queue);
  }

  return {
    /** Call when a request starts. Connections from a trusted proxy are never paused: they carry many networks. */
    began(connection: Connection): void {
      const network = connection.budgets?.[0];
      if (!network) return;
      schedule();
      total += 1;
      const count = (started.get(network) ?? 0) + 1;
      started.set(network, count);
      if (total > MAX_PER_TURN && count * started.size > MAX_PER_TURN && !paused.has(network))
        hold(network, connection);
    },
  };
}
