/**
 * Sends that are confirmed only when WAIT_REPLICAS replicas have them. WAIT covers what its own connection has written, so sends
 * have a connection of their own: it serves no reads, which would queue behind a WAIT.
 *
 * One WAIT is in flight at a time, and confirms all sends that Redis had accepted when it left. It follows the replies and
 * not the sends, because a script that Redis does not know yet is sent twice.
 */
import type { Redis } from 'ioredis';
import { StoreUnavailable } from './error-replies.ts';
import { runScript, type ScriptName, type ScriptReplies } from './scripts.ts';

/**
 * A replica confirms within a round trip when it is asked. A longer wait would only hold up the sends behind it: a request
 * waits for at most two of them.
 */
const WAIT_MS = 300;

/** Scripts whose reply begins with 'appended', 'replayed', or the reason why nothing was stored. */
export type AppendScript = Extract<ScriptName, 'broadcast-append' | 'direct-append'>;
export type Append = <Name extends AppendScript>(
  name: Name,
  /** The hash of the log. */
  hash: string,
  keys: string[],
  args: (string | number)[],
) => Promise<ScriptReplies[Name]>;

/** What is used of a connection. */
export type WaitConnection = Pick<Redis, 'wait' | 'stream'>;

/** Throws StoreUnavailable if too few replicas confirm: the outcome of the send is then unknown. */
export function createAppend(connection: Redis, replicas: number): Append {
  const confirm = createReplicaWait(connection, replicas);
  return async (name, hash, keys, args) => {
    const socket = connection.stream;
    const reply = await runScript(connection, name, keys, args);
    if (replicas === 0) return reply;
    // A repeat wrote nothing, and by its documentation WAIT covers only what its connection wrote.
    if (reply[0] === 'replayed') await runScript(connection, 'log-touch', [hash], []);
    if (reply[0] === 'replayed' || reply[0] === 'appended') await confirm(socket);
    return reply;
  };
}

/** `socket`: the one that carried the write. On a new one WAIT succeeds at once and proves nothing. */
export function createReplicaWait(connection: WaitConnection, replicas: number) {
  let next: Promise<number> | undefined;
  let last: Promise<unknown> = Promise.resolve();

  /** All callers of this turn, and those who call while another WAIT is in flight, share the next one. */
  function wait(): Promise<number> {
    next ??= last
      .catch(() => {}) // its own callers have the error
      .then(() => new Promise((resolve) => setImmediate(resolve)))
      .then(() => {
        next = undefined;
        const sent = connection.wait(replicas, WAIT_MS);
        last = sent;
        return sent;
      });
    return next;
  }

  return async (socket: Redis['stream']): Promise<void> => {
    const confirmed = await wait();
    if (connection.stream !== socket)
      throw new StoreUnavailable('the connection ended before the replicas confirmed a send');
    if (confirmed < replicas)
      throw new StoreUnavailable(
        `${confirmed} of ${replicas} replicas confirmed a send within ${WAIT_MS} ms (WAIT_REPLICAS)`,
      );
  };
}
