/**
 * Makes a call: adds a valid access token, enforces a timeout, and retries idempotent requests that got no response. A
 * 429 is not retried: the caller receives `retryAfterSeconds` and should slow down.
 */
import type createClient from 'openapi-fetch';
import { type Clock, jittered, linkTo } from './clock.ts';
import type { paths } from './contract.d.ts';
import { type Problem, ProblemError, problemFrom, problemOf, type Result } from './problem.ts';
import type { Sessions } from './sessions.ts';

/** A replacement for the global `fetch`, for example to add headers or to use a proxy. */
export type Fetch = (request: Request) => Promise<Response>;
export type Api = ReturnType<typeof createClient<paths>>;
/** Aborting `signal` makes the call throw the signal's reason. */
export type CallOptions = { signal?: AbortSignal };

/** Twice the server's own limit: it answers within 5 s, if only with an error. */
export const RESPONSE_TIMEOUT_MS = 10_000;
const ATTEMPTS = 3;
const FIRST_WAIT_MS = 250;
/** If the server asks for a longer wait, the problem is returned and the caller decides. */
const MAX_WAIT_MS = 5_000;

export type Caller = ReturnType<typeof createCaller>;

type ApiResponse<Data> = { data?: Data; error?: unknown; response: Response };

/** Adds the access token. If the server rejects it, refreshes it and sends the request once more. */
export function withAuthorization(send: Fetch, sessions: Sessions): Fetch {
  const attempt = async (request: Request, stale?: string): Promise<[Response, string]> => {
    const { data: token, problem } = await sessions.token(stale);
    if (problem) throw new ProblemError(problem);
    request.headers.set('Authorization', `Bearer ${token}`);
    return [await send(request), token];
  };
  return async (request) => {
    const retryRequest = request.clone();
    const [response, token] = await attempt(request);
    if (response.status !== 401) return response;
    const { code } = problemOf(
      await response
        .clone()
        .json()
        .catch(() => undefined),
      response,
    );
    if (code === 'session_ended') await sessions.end('ended');
    if (code !== 'token_expired' && code !== 'unauthenticated') return response;
    const [retryResponse] = await attempt(retryRequest, token);
    return retryResponse;
  };
}

export function createCaller(clock: Clock) {
  async function once<Data>(
    send: (signal: AbortSignal) => Promise<ApiResponse<Data>>,
    signal: AbortSignal | undefined,
  ): Promise<Result<Data>> {
    const link = linkTo(signal);
    const timer = setTimeout(
      () => link.abort(new Error(`no response within ${RESPONSE_TIMEOUT_MS} ms`)),
      RESPONSE_TIMEOUT_MS,
    );
    try {
      const { data, error, response } = await Promise.race([send(link.signal), rejectOn(link.signal)]);
      // For a 204, `Data` is `undefined`.
      return response.ok ? { data: data as Data } : { problem: problemOf(error, response) };
    } catch (error) {
      return { problem: problemFrom(error, signal) };
    } finally {
      clearTimeout(timer);
      link.release();
    }
  }

  return {
    once,
    /** Only for requests that are safe to repeat: reads, and sends with an idempotency key. */
    async withRetries<Data>(
      send: (signal: AbortSignal) => Promise<ApiResponse<Data>>,
      signal: AbortSignal | undefined,
    ): Promise<Result<Data>> {
      for (let attempt = 1; ; attempt += 1) {
        const result = await once(send, signal);
        if (!result.problem || attempt === ATTEMPTS) return result;
        const waitMs = retryDelayMs(result.problem, attempt, clock);
        if (waitMs > MAX_WAIT_MS) return result;
        await clock.sleep(waitMs, signal ?? new AbortController().signal);
      }
    },
  };
}

/** Needed because not everything in a call observes its signal: a shared refresh, a lock, the storage. */
function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

/** The wait before the next attempt; infinite if repeating the request cannot help. */
function retryDelayMs(problem: Problem, attempt: number, clock: Clock): number {
  const backoffMs = jittered(FIRST_WAIT_MS * 2 ** attempt, clock);
  if (problem.code === 'unreachable') return backoffMs;
  if (problem.code !== 'unavailable' && problem.code !== 'busy') return Number.POSITIVE_INFINITY;
  return Math.max(backoffMs, problem.retryAfterSeconds * 1_000);
}
