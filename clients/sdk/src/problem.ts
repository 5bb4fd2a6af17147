/**
 * The result of a call: data, or a problem as a value. Problems from the server keep their code; three more codes
 * originate in the client. Calls throw only when the caller aborts them.
 */
import type { components } from './contract.d.ts';

/** Codes that the server sends: see the contract. */
export type ServerCode = components['schemas']['Problem']['code'];

/** Codes that originate in the client:
 *  - `unreachable`: no response, or not in time. It is unknown whether a message was stored.
 *  - `unreadable`: the response is not from Parley; an error page of a proxy, for example.
 *  - `logged_out`: there is no session; nothing was sent. */
export type ClientCode = 'unreachable' | 'unreadable' | 'logged_out';
export type ProblemCode = ServerCode | ClientCode;

type WaitCode = 'too_many_requests' | 'unavailable' | 'busy';
/** The fields that only some codes have. */
export type ProblemFields<Code> = Code extends 'validation_failed'
  ? { errors: components['schemas']['InputError'][] }
  : Code extends WaitCode
    ? { retryAfterSeconds: number }
    : unknown;
/** A problem that the server reports. */
export type ServerProblem = {
  [Code in ServerCode]: {
    code: Code;
    status: number;
    title: string;
    detail: string;
    requestId: string;
  } & ProblemFields<Code>;
}[ServerCode];
/** A problem that the client reports, without a response of the server. */
export type ClientProblem = { code: ClientCode; status?: number; detail: string };

/**
 * Narrow it by `code`: `validation_failed` has `errors`; `too_many_requests`, `unavailable` and `busy` have
 * `retryAfterSeconds`.
 */
export type Problem = ServerProblem | ClientProblem;
/** Exactly one of `data` and `problem` is set. Check `problem` first. */
export type Result<Data> = { data: Data; problem?: undefined } | { data?: undefined; problem: Problem };

/** Carries a problem out of a fetch; never reaches the caller. */
export class ProblemError extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** Used when `Retry-After` is missing or invalid. */
const DEFAULT_RETRY_SECONDS = 1;

/** Builds a problem from the body of an unsuccessful response. */
export function problemOf(body: unknown, response: Response): Problem {
  const { status, headers } = response;
  if (typeof body !== 'object' || body === null || !('code' in body) || !('requestId' in body)) {
    return {
      code: 'unreadable',
      status,
      detail: `The response (status ${status}) is not from a Parley server. Check the URL.`,
    };
  }
  const seconds = Number(headers.get('Retry-After') ?? Number.NaN);
  const retryAfterSeconds = seconds >= 0 ? seconds : DEFAULT_RETRY_SECONDS;
  const hasRetryAfter = status === 429 || status === 503;
  // The code and request id were checked; the contract guarantees the rest.
  return { errors: [], ...body, ...(hasRetryAfter && { retryAfterSeconds }) } as unknown as Problem;
}

/** Builds a problem from an error thrown by fetch; rethrows if the caller aborted. */
export function problemFrom(error: unknown, signal: AbortSignal | undefined): Problem {
  if (signal?.aborted) throw signal.reason;
  if (error instanceof ProblemError) return error.problem;
  if (error instanceof SyntaxError) return { code: 'unreadable', detail: 'The response is not JSON.' };
  return { code: 'unreachable', detail: `The server is unreachable: ${reasonOf(error)}.` };
}

/** Node's fetch puts the actual error in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
