/** Rejections by admission: their error texts, and the pause that follows them. */
import { randomUUID } from 'node:crypto';
import { Problem } from '../../chat/problems.ts';
import { problemBody } from '../problem-json.ts';
import type { Budget } from './budgets.ts';
import type { Connection } from './connection.ts';

export type Reason = 'budget' | 'in_flight' | 'connections';

export const IN_FLIGHT_RETRY_MS = 1_000;
const DETAILS: Record<Reason, string> = {
  budget: 'This account or network has exceeded its request budget. Wait for the time in Retry-After.',
  in_flight: 'Too many concurrent requests. Wait for responses before you send more.',
  connections: 'Too many connections from this network. Close some, or reuse one for several requests.',
};

export const problemOf = (reason: Reason, retryAfterMs = IN_FLIGHT_RETRY_MS): Problem =>
  new Problem('too_many_requests', DETAILS[reason], { retryAfterMs });

/** Stops reading from the connection for a while, to slow down a client that retries immediately. */
export function pauseReading(connection: Connection, network: Budget): void {
  const { socket } = connection;
  if (connection.isPaused || socket.destroyed) return;
  connection.isPaused = true;
  connection.hold();
  setTimeout(() => {
    connection.isPaused = false;
    connection.release();
  }, network.nextPauseMs(performance.now())).unref();
}

/** The response to a connection above the limit, as text: no request has been parsed yet. */
export function rawRejection(): string {
  const requestId = randomUUID();
  const body = JSON.stringify(problemBody(problemOf('connections'), requestId));
  return (
    `HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json\r\n` +
    `Content-Length: ${Buffer.byteLength(body)}\r\nRetry-After: 1\r\nCache-Control: no-store\r\n` +
    `X-Request-Id: ${requestId}\r\nConnection: close\r\n\r\n${body}`
  );
}
