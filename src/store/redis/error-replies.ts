/**
 * How Parley reacts to each error that Redis can report. Any other error reply is a bug and is passed through, as is an error
 * that did not come from Redis. Nothing is retried here: only the caller knows whether a repeat is safe.
 */

/** Redis is unavailable, too slow, or rejects writes. Becomes 503 `unavailable`; the outcome of a write is unknown. */
export class StoreUnavailable extends Error {}

/** Redis has reached its `maxmemory`: nothing was written. */
export class StoreFull extends StoreUnavailable {}

/** `reconnects`: this server may stay like that, and a new connection may reach another one, or log in again. */
type Reaction = { error: typeof StoreUnavailable; reconnects: boolean };

const LATER: Reaction = { error: StoreUnavailable, reconnects: false };
const ELSEWHERE: Reaction = { error: StoreUnavailable, reconnects: true };

/** By the first word of the reply. */
const REACTIONS: Record<string, Reaction> = {
  // the server has become a replica, or is about to be replaced
  READONLY: ELSEWHERE,
  MASTERDOWN: ELSEWHERE,
  UNBLOCKED: ELSEWHERE, // it became a replica during a WAIT
  REDIRECT: ELSEWHERE, // Valkey during a failover
  // the password was changed, or the user was disabled
  NOAUTH: ELSEWHERE,
  WRONGPASS: ELSEWHERE,
  // the server will accept the command later, or its operator has to act
  LOADING: LATER,
  BUSY: LATER,
  UNKILLABLE: LATER,
  MISCONF: LATER,
  NOREPLICAS: LATER,
  DENIED: LATER,
  EXECABORT: LATER,
  OOM: { error: StoreFull, reconnects: false },
  // a cluster is being changed
  CLUSTERDOWN: LATER,
  MOVED: LATER,
  ASK: LATER,
  TRYAGAIN: LATER,
};
/** Redis 7.0 has no code for this inside a script. */
export const NO_PERMISSION = /^NOPERM|^ERR The user executing the script can't/;
const TOO_MANY_CLIENTS = /^ERR max number of clients/;

function reactionTo(reply: string): Reaction | undefined {
  const code = /^[A-Z]+/.exec(reply)?.[0] ?? '';
  return NO_PERMISSION.test(reply) || TOO_MANY_CLIENTS.test(reply) ? LATER : REACTIONS[code];
}

/** Whether the connections should be dropped because of this error reply. */
export const needsReconnect = (error: Error): boolean => reactionTo(error.message)?.reconnects === true;

const PROGRAMMING_ERRORS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** Translates an error of ioredis. One that is neither a reply nor a bug means that the connection failed. */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoreUnavailable) return error;
  if (error.name === 'ReplyError') return fromReply(error) ?? error;
  if (PROGRAMMING_ERRORS.some((kind) => error instanceof kind) || 'path' in error) return error;
  return new StoreUnavailable(error.message, { cause: error });
}

/** An aborted transaction reports only the abort; the replies to its commands contain the reason. */
function fromReply(error: Error): StoreUnavailable | undefined {
  const previous =
    'previousErrors' in error && Array.isArray(error.previousErrors) ? error.previousErrors : [];
  const reasons: string[] = previous.length > 0 ? previous.map(({ message }) => message) : [error.message];
  const reactions = reasons.map(reactionTo).filter((each) => each !== undefined);
  if (reactions.length < reasons.length) return undefined;
  const { error: Kind } = reactions.find((each) => each.error === StoreFull) ?? LATER;
  return new Kind(error.message, { cause: error });
}
