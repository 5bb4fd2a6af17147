/** Turns anything that was thrown into a problem, and sends it as application/problem+json (RFC 9457). */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { PROBLEMS, Problem, type ProblemCode } from '../chat/problems.ts';
import { storeProblem } from '../chat/store-problem.ts';
import type { components } from '../contract.d.ts';

/** Errors that Express throws for faults of the client, by status. */
const CLIENT_ERRORS: Record<number, [ProblemCode, string]> = {
  400: ['malformed_json', 'The body cannot be parsed. Send JSON in UTF-8.'],
  413: ['body_too_large', 'The body must not be larger than 64 KiB.'],
  415: ['unsupported_media_type', 'The media type is not supported. Send application/json in UTF-8.'],
};
/** Such as 412 and 416, for conditional and range requests for a page. */
const OTHER_CLIENT_ERROR: [ProblemCode, string] = [
  'validation_failed',
  'The conditional or range headers of this request cannot be satisfied. Repeat it without them.',
];

export function toProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const unavailable = storeProblem(error);
  if (unavailable) return unavailable;
  if (error instanceof URIError)
    return new Problem('not_found', 'The path is not valid. Send it as percent-encoded UTF-8.');
  const status =
    typeof error === 'object' && error !== null && 'status' in error ? Number(error.status) : 500;
  const clientError =
    CLIENT_ERRORS[status] ?? (status >= 400 && status < 500 ? OTHER_CLIENT_ERROR : undefined);
  return clientError
    ? new Problem(...clientError)
    : new Problem('internal', 'Unexpected error. Report it to the operator with this request id.');
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

/** Returns the handler for methods that a path does not support. */
export function allowOnly(methods: string[]) {
  const list = methods.join(', ');
  return (req: IncomingMessage, res: ServerResponse): never => {
    res.setHeader('Allow', list);
    throw new Problem('method_not_allowed', `${req.method} is not allowed on this path. Allowed: ${list}.`);
  };
}
