/**
 * How a call is made: with a token that lives, within a time, and again if it went unanswered and a repeat does no
 * harm. A 429 is not repeated: who sends too fast is told `retryAfterSeconds` and should slow down.
 */
import type createClient from 'openapi-fetch';
import type { paths } from '../contract.d.ts';
import { type Clock, jittered, linkTo } from './clock.ts';
import { type Problem, problemFrom, problemOf, Refusal, type Result } from './problem.ts';
import type { Sessions } from './session.ts';

export type Fetch = (request: Request) => Promise<Response>;
export type Api = ReturnType<typeof createClient<paths>>;
export type CallOptions = { signal?: AbortSignal };

/** The server answers within 5 s, or says that it cannot. */
export const ANSWER_MS = 10_000;
const ATTEMPTS = 3;
const FIRST_WAIT_MS = 250;
/** Who is told to wait longer is told; the caller decides. */
const LONGEST_WAIT_MS = 5_000;

type Answer<Data> = { data?: Data; error?: unknown; response: Response };

/** Adds the access token, and once more a new one if the server refuses the first. */
export function authorizing(send: Fetch, sessions: Sessions): Fetch {
  const attempt = async (request: Request, stale?: string): Promise<[Response, string]> => {
    const { data: token, problem } = await sessions.token(stale);
    if (problem) throw new Refusal(problem);
    request.headers.set('Authorization', `Bearer ${token}`);
    return [await send(request), token];
  };
  return async (request) => {
    const again = request.clone();
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
    const [second] = await attempt(again, token);
    return second;
  };
}

export function createCaller(clock: Clock) {
  async function once<Data>(
    send: (signal: AbortSignal) => Promise<Answer<Data>>,
    signal: AbortSignal | undefined,
  ): Promise<Result<Data>> {
    const link = linkTo(signal);
    const timer = setTimeout(() => link.abort(new Error(`not within ${ANSWER_MS} ms`)), ANSWER_MS);
    try {
      const { data, error, response } = await Promise.race([send(link.signal), rejectOn(link.signal)]);
      // A 204 has no data, and its type says so.
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
    /** For what may be done twice: reads, and sends under an idempotency key. */
    async repeatedly<Data>(
      send: (signal: AbortSignal) => Promise<Answer<Data>>,
      signal: AbortSignal | undefined,
    ): Promise<Result<Data>> {
      for (let attempt = 1; ; attempt += 1) {
        const result = await once(send, signal);
        if (!result.problem || attempt === ATTEMPTS) return result;
        const waitMs = patience(result.problem, attempt, clock);
        if (waitMs > LONGEST_WAIT_MS) return result;
        await clock.sleep(waitMs, signal ?? NEVER);
      }
    },
  };
}

/** What is waited for need not listen to the signal: a refresh that others wait for too, a lock, a storage. */
function rejectOn(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason));
  });
}

const NEVER = new AbortController().signal;

/** How long to wait before the same again; for ever, if that would change nothing. */
function patience(problem: Problem, attempt: number, clock: Clock): number {
  const backoffMs = jittered(FIRST_WAIT_MS * 2 ** attempt, clock);
  if (problem.code === 'unreachable') return backoffMs;
  if (problem.code !== 'unavailable' && problem.code !== 'busy') return Number.POSITIVE_INFINITY;
  return Math.max(backoffMs, problem.retryAfterSeconds * 1_000);
}
