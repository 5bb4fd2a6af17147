/** The closed set of problems that the API reports. `openapi.yaml` holds the same table (x-problems). */

export const PROBLEMS = {
  malformed_json: { status: 400, title: 'The body is not valid JSON' },
  validation_failed: { status: 400, title: 'The request is not valid' },
  unauthenticated: { status: 401, title: 'A valid access token is required' },
  token_expired: { status: 401, title: 'The access token has expired' },
  session_ended: { status: 401, title: 'The session has ended' },
  bad_credentials: { status: 401, title: 'Wrong username or password' },
  bad_refresh_token: { status: 401, title: 'The refresh token is not valid' },
  bad_ticket: { status: 401, title: 'The ticket is not valid' },
  unknown_user: { status: 404, title: 'No such user' },
  unknown_message: { status: 404, title: 'No such message' },
  not_found: { status: 404, title: 'No such path' },
  method_not_allowed: { status: 405, title: 'The method is not allowed on this path' },
  username_taken: { status: 409, title: 'The username is taken' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The media type is not supported' },
  misdirected_request: { status: 421, title: 'The server is not configured for this host' },
  idempotency_conflict: { status: 422, title: 'The idempotency key was used with a different text' },
  too_many_requests: { status: 429, title: 'Too many requests' },
  internal: { status: 500, title: 'Internal server error' },
  unavailable: { status: 503, title: 'The server is temporarily unavailable' },
  busy: { status: 503, title: 'Too many logins at the same time' },
  storage_full: { status: 507, title: 'The server is out of storage' },
  quota_exceeded: { status: 507, title: 'The account exceeds its storage quota' },
  mailbox_full: { status: 507, title: "The recipient's mailbox is full" },
} as const;

export type ProblemCode = keyof typeof PROBLEMS;

/** One invalid value and where it is: a JSON Pointer into the body (RFC 6901), or `query/limit`, `header/Idempotency-Key`. */
export type InputError = { pointer: string; message: string };

export class Problem extends Error {
  readonly code: ProblemCode;
  readonly errors: InputError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ProblemCode,
    detail: string,
    more: { errors?: InputError[]; retryAfterMs?: number } = {},
  ) {
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0; // the stack of a rejected request is never logged, and capturing it is expensive under a flood
    super(detail);
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.errors = more.errors;
    this.retryAfterSeconds =
      more.retryAfterMs === undefined ? undefined : Math.ceil(more.retryAfterMs / 1_000);
  }
}

export function invalid(pointer: string, message: string): Problem {
  return new Problem('validation_failed', `${pointer} ${message}`, { errors: [{ pointer, message }] });
}

export function tooMany(waitMs: number, what: string): Problem {
  const seconds = Math.ceil(waitMs / 1_000);
  const detail = `Too many ${what}. Try again in ${seconds} ${seconds === 1 ? 'second' : 'seconds'}.`;
  return new Problem('too_many_requests', detail, { retryAfterMs: waitMs });
}

export const sessionEnded = (): Problem =>
  new Problem('session_ended', 'This session has ended. Log in again with POST /v1/login.');

/** A token outlives its account only if Redis lost the account. */
export const accountLost = (): Problem =>
  new Problem(
    'session_ended',
    'The account of this session no longer exists. Register again with POST /v1/register.',
  );
