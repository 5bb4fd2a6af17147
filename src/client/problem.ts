/**
 * What a call gives back: data, or a problem as a value. The server's problems keep their code; three more can only
 * arise on this side. Nothing is thrown but the caller's own abort.
 */
import type { components } from '../contract.d.ts';

type Served = components['schemas']['Problem'];
export type ServerCode = Served['code'];

/** What the server never says:
 *  - `unreachable`: no answer, or not in time. Whether a send was stored is unknown.
 *  - `unreadable`: an answer, but not one of Parley's; a proxy's page, for example.
 *  - `logged_out`: there is no session here; nothing was sent. */
export type OwnCode = 'unreachable' | 'unreadable' | 'logged_out';
export type ProblemCode = ServerCode | OwnCode;

type WaitCode = 'too_many_requests' | 'unavailable' | 'busy';
type More<Code> = Code extends 'validation_failed'
  ? { errors: components['schemas']['InputError'][] }
  : Code extends WaitCode
    ? { retryAfterSeconds: number }
    : unknown;
type ServerProblem = {
  [Code in ServerCode]: {
    code: Code;
    status: number;
    title: string;
    detail: string;
    requestId: string;
  } & More<Code>;
}[ServerCode];
type OwnProblem = { code: OwnCode; status?: number; detail: string };

/** Narrows by `code`: `validation_failed` has `errors`, what asks for patience has `retryAfterSeconds`. */
export type Problem = ServerProblem | OwnProblem;
export type Result<Data> = { data: Data; problem?: undefined } | { data?: undefined; problem: Problem };

/** Carries a problem out of a fetch; never leaves this room. */
export class Refusal extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.detail);
    this.problem = problem;
  }
}

/** A `Retry-After` that cannot be read counts as this. */
const DEFAULT_RETRY_SECONDS = 1;

/** From the body of an answer that is not a success. */
export function problemOf(body: unknown, response: Response): Problem {
  const { status, headers } = response;
  if (typeof body !== 'object' || body === null || !('code' in body) || !('requestId' in body)) {
    return { code: 'unreadable', status, detail: `The answer (${status}) is not one of Parley's.` };
  }
  const seconds = Number(headers.get('Retry-After') ?? Number.NaN);
  const retryAfterSeconds = seconds >= 0 ? seconds : DEFAULT_RETRY_SECONDS;
  const needsPatience = status === 429 || status === 503;
  // It has the form of a problem, and Parley's contract says the rest.
  return { errors: [], ...body, ...(needsPatience && { retryAfterSeconds }) } as unknown as Problem;
}

/** From what a fetch threw; throws it again when the caller wanted it to stop. */
export function problemFrom(error: unknown, signal: AbortSignal | undefined): Problem {
  if (signal?.aborted) throw signal.reason;
  if (error instanceof Refusal) return error.problem;
  if (error instanceof SyntaxError) return { code: 'unreadable', detail: 'The answer is not JSON.' };
  return { code: 'unreachable', detail: `The server does not answer: ${reasonOf(error)}.` };
}

/** Node hides what happened in `cause`. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message || error.message : error.message;
}
