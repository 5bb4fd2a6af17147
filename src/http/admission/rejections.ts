/** What is refused at the door: the words for it, and the rest that follows. */
import { randomUUID } from 'node:crypto';
import { Problem } from '../../chat/problems.ts';
import { problemBody } from '../problem-json.ts';
import type { Budget } from './budgets.ts';
import type { Connection } from './connection.ts';

export type Reason = 'budget' | 'in_flight' | 'connections';

export const IN_FLIGHT_RETRY_MS = 1_000;
const DETAILS: Record<Reason, string> = {
  budget: 'This account or network has used up what it may. Wait as long as Retry-After says.',
  in_flight: 'Too many requests at once. Wait for answers before you send more.',
  connections: 'Too many connections from this network. Close some, or share one.',
};

export const problemOf = (reason: Reason, retryAfterMs = IN_FLIGHT_RETRY_MS): Problem =>
  new Problem('too_many_requests', DETAILS[reason], { retryAfterMs });

/** The connection is not read for a while: a client that asks on at once is slowed down. */
export function rest(connection: Connection, network: Budget): void {
  const { socket } = connection;
  if (connection.isResting || socket.destroyed) return;
  connection.isResting = true;
  connection.hold();
  setTimeout(() => {
    connection.isResting = false;
    connection.release();
  }, network.restMs(performance.now())).unref();
}

/** What a connection hears that is one too many. */
export function rawRejection(): string {
  const requestId = randomUUID();
  const body = JSON.stringify(problemBody(problemOf('connections'), requestId));
  return (
    `HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nRetry-After: 1\r\nCache-Control: no-store\r\n` +
    `X-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`
  );
}
