/** Problems as the caller sees them (RFC 9457), whatever was thrown: by the rules, by Express, by Redis, by a bug. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEMS, Problem, type ProblemCode } from '../chat/problems.ts';
import type { components } from '../contract.d.ts';
import { StoreUnavailable } from '../store/redis/client.ts';

/** What body-parser and Express throw for the caller's faults, by status. */
const FOREIGN: Record<number, [ProblemCode, string]> = {
  400: ['malformed_json', 'The request could not be read: the body must be JSON in UTF-8.'],
  413: ['body_too_large', 'The body must not be larger than 64 KiB.'],
  415: ['unsupported_media_type', 'Send the body as application/json in UTF-8.'],
};
/** Such as 412 and 416, of a page that was asked for under a condition or in parts. */
const FOREIGN_OTHER: [ProblemCode, string] = [
  'validation_failed',
  'This cannot be had as the headers ask for it.',
];

export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof StoreUnavailable) {
    const detail = 'The store does not answer. Repeat the request, a send with the same Idempotency-Key.';
    return new Problem('unavailable', detail, { retryAfterMs: 1_000 });
  }
  if (error instanceof URIError)
    return new Problem('not_found', 'The path is not valid percent-encoded UTF-8.');
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500;
  const foreign = FOREIGN[status] ?? (status >= 400 && status < 500 ? FOREIGN_OTHER : undefined);
  return foreign
    ? new Problem(...foreign)
    : new Problem('internal', 'This is our fault. It was logged with this request id.');
}

export function problemBody(problem: Problem, requestId: string): components['schemas']['Problem'] {
  const { code, message, errors } = problem;
  const { title, status } = PROBLEMS[code];
  return {
    type: `urn:parley:problem:${code}`,
    title,
    status,
    detail: message,
    code,
    requestId,
    ...(errors && { errors }),
  };
}

export function sendProblem(res: ServerResponse, problem: Problem, requestId: string): void {
  const { status } = PROBLEMS[problem.code];
  res.statusCode = status;
  res.setHeader('Content-Type', 'application/problem+json');
  res.setHeader('Cache-Control', 'no-store');
  if (status === 401) res.setHeader('WWW-Authenticate', 'Bearer');
  if (problem.retryAfterSeconds !== undefined) res.setHeader('Retry-After', problem.retryAfterSeconds);
  res.end(JSON.stringify(problemBody(problem, requestId)));
}

/** The last handler of a path: whatever comes so far has a method that the path does not know. */
export function allowOnly(methods: string[]) {
  const list = methods.join(', ');
  return (req: IncomingMessage, res: ServerResponse): never => {
    res.setHeader('Allow', list);
    throw new Problem('method_not_allowed', `${req.method} is not for this path; ${list} is.`);
  };
}
