/**
 * The event stream as an async iterable of typed events. It reconnects by itself and resumes where it stopped, refreshes
 * an expired access token, waits as long as the server asks (`retry:`, Retry-After) with exponential backoff, and ends
 * only when reconnecting cannot help: see EndOfStream.
 *
 * It is pull-based: while the consumer is busy nothing is read, and the server replays from its log later. Duplicates
 * are dropped by message id; the newest 10,000 ids are remembered, the default size of an inbox. Anything that is not an
 * event of the contract is skipped.
 */

import type { Acknowledger } from './acknowledge.ts';
import { type Api, RESPONSE_TIMEOUT_MS } from './calls.ts';
import { type Clock, jittered, linkTo } from './clock.ts';
import type { components } from './contract.d.ts';
import { createFrames, type Frame, type StreamEvent } from './frames.ts';
import { type Problem, problemFrom, problemOf, type Result } from './problem.ts';
import type { Sessions } from './sessions.ts';

export type EventsOptions = {
  /** Ends the stream. */
  signal?: AbortSignal;
  /** Resume here: the `lastEventId` of an earlier stream. Without it, the stream starts with the unread mailbox. */
  lastEventId?: string;
  /** How much presence to receive: `all` (names and count), `count`, or `off`. Default `all`. */
  presence?: components['schemas']['PresenceMode'];
  /** Acknowledge each direct message when the consumer requests the next event. Default `true`. */
  acknowledge?: boolean;
  /** Called whenever `state` changes. */
  onState?: (state: StreamState) => void;
};

/** Why a stream has ended.
 *  - `aborted`: its signal aborted, or the consumer left the loop.
 *  - `replaced`: the account opened more streams than allowed, and this was the oldest.
 *  - `session`: the session has ended, by logout or by the server.
 *  - `refused`: the server rejects the request and a retry would not help; see `problem`. */
export type EndOfStream = 'aborted' | 'replaced' | 'session' | 'refused';
/** What interrupted the stream: the code of a goodbye, a `broken` or `silent` connection, or a problem. */
export type Interruption = components['schemas']['GoodbyeCode'] | 'broken' | 'silent' | Problem;
/** `delayMs`: time until the next connection attempt, in milliseconds. */
export type StreamState =
  | { kind: 'idle' }
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'waiting'; delayMs: number; because: Interruption }
  | { kind: 'ended'; reason: EndOfStream; problem?: Problem };

export type EventStream = AsyncGenerator<StreamEvent, void, undefined> & {
  readonly state: StreamState;
  /** The position of the newest event that the consumer has handled. Store it to resume after a restart. */
  readonly lastEventId: string | undefined;
  /** Reconnects at once if the stream is waiting for its next attempt. */
  reconnect(): void;
};

type Deps = { api: Api; sessions: Sessions; acknowledger: Acknowledger; clock: Clock };

const REMEMBERED_IDS = 10_000;
const MAX_DELAY_MS = 30_000;
/** Until the server sends `retry:`. */
const DEFAULT_RETRY_MS = 2_000;
/** A connection that expires sooner than this is not reopened at once, to prevent a tight loop. */
const SHORT_CONNECTION_MS = 1_000;

export function openEvents(
  { api, sessions, acknowledger, clock }: Deps,
  options: EventsOptions,
): EventStream {
  const { presence, acknowledge = true, onState } = options;
  const seen = new Set<string>();
  let state: StreamState = { kind: 'idle' };
  let wake = () => {};
  /** Positions of the newest event received and of the newest event handled by the consumer. */
  let cursor = options.lastEventId;
  let handledId = options.lastEventId;
  let retryMs = DEFAULT_RETRY_MS;
  let failures = 0;
  let openedAtMs = 0;
  let openedWithToken: string | undefined;
  let username: string | undefined;

  function setState(next: StreamState): void {
    state = next;
    onState?.(next);
  }

  function isRepeat(event: StreamEvent): boolean {
    if (event.kind !== 'dm' && event.kind !== 'broadcast') return false;
    if (seen.has(event.id)) return true;
    seen.add(event.id);
    if (seen.size > REMEMBERED_IDS) seen.delete(seen.values().next().value!); // sets keep insertion order: the oldest
    return false;
  }

  function markHandled({ event, id }: Frame): void {
    if (id !== undefined) handledId = id;
    if (acknowledge && event?.kind === 'dm' && event.to === username) acknowledger.add(event.id);
  }

  async function connect(signal: AbortSignal): Promise<Result<ReadableStream<Uint8Array>>> {
    const link = linkTo(signal);
    const timer = setTimeout(
      () => link.abort(new Error(`no response within ${RESPONSE_TIMEOUT_MS} ms`)),
      RESPONSE_TIMEOUT_MS,
    );
    try {
      const { data, error, response } = await api.GET('/v1/events', {
        params: {
          query: { ...(presence && { presence }) },
          header: { ...(cursor !== undefined && { 'Last-Event-ID': cursor }) },
        },
        headers: { Accept: 'text/event-stream' },
        cache: 'no-store',
        parseAs: 'stream',
        signal: link.signal,
      });
      const isStream = response.headers.get('Content-Type')?.startsWith('text/event-stream');
      if (data && isStream) return { data };
      await response.body?.cancel().catch(() => {});
      return { problem: problemOf(error, response) };
    } catch (error) {
      return { problem: problemFrom(error, signal) };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Reads one connection to its end and returns what ended it. */
  async function* listen(stop: AbortSignal): AsyncGenerator<StreamEvent, Interruption> {
    const link = linkTo(stop);
    try {
      setState({ kind: 'connecting' });
      const { data: body, problem } = await connect(link.signal);
      if (problem) return problem;
      const onRetry = (ms: number): void => {
        retryMs = ms;
      };
      const frames = createFrames(body, onRetry, link.signal);
      openedAtMs = clock.now();
      openedWithToken = sessions.current()?.accessToken;
      while (!stop.aborted) {
        const frame = await frames.next();
        if (typeof frame === 'string') return frame;
        const { event, id } = frame;
        if (id !== undefined) cursor = id;
        if (event && !isRepeat(event)) {
          if (event.kind === 'ready') {
            username = event.username;
            setState({ kind: 'open' });
          }
          if (event.kind !== 'goodbye') failures = 0; // a goodbye without any event before it is a failure
          yield event;
          if (event.kind === 'goodbye') return event.code;
        }
        markHandled(frame);
      }
      return 'broken';
    } finally {
      link.abort();
      link.release();
    }
  }

  async function* run(): AsyncGenerator<StreamEvent, void, undefined> {
    await sessions.load();
    const sessionSignal = sessions.signal();
    const stop = linkTo(options.signal, sessionSignal);
    let end: StreamState = { kind: 'ended', reason: 'aborted' };
    try {
      while (!stop.signal.aborted) {
        const because = yield* listen(stop.signal);
        if (stop.signal.aborted) break;
        const reason = await endOf(because);
        if (reason) {
          end = { kind: 'ended', reason, ...(typeof because === 'object' && { problem: because }) };
          break;
        }
        await pause(because, stop.signal);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      if (sessionSignal.aborted && !options.signal?.aborted) end = { kind: 'ended', reason: 'session' };
      stop.release();
      void acknowledger.flush();
      setState(end);
    }
  }

  /** Returns undefined if the stream should reconnect. */
  async function endOf(because: Interruption): Promise<EndOfStream | undefined> {
    if (because === 'replaced') return 'replaced';
    if (because === 'revoked') {
      await sessions.end('ended');
      return 'session';
    }
    if (typeof because === 'string') {
      if (because === 'expired') await sessions.token(openedWithToken);
      return undefined;
    }
    if (because.code === 'logged_out' || because.code === 'session_ended') return 'session';
    if (because.code === 'bad_refresh_token') return 'session';
    const { status = 503 } = because;
    return status < 500 && status !== 429 && because.code !== 'unreadable' ? 'refused' : undefined;
  }

  async function pause(because: Interruption, signal: AbortSignal): Promise<void> {
    if (because === 'expired' && failures === 0 && clock.now() - openedAtMs >= SHORT_CONNECTION_MS) return;
    const backoffMs = jittered(Math.min(MAX_DELAY_MS, retryMs * 2 ** failures), clock);
    const requestedMs =
      typeof because === 'object' && 'retryAfterSeconds' in because
        ? because.retryAfterSeconds * 1_000
        : because === 'too_many_requests'
          ? retryMs
          : 0;
    // No jitter on the first attempt: the server already randomizes `retry:` per stream.
    const delayMs = failures === 0 ? Math.max(retryMs, requestedMs) : Math.max(backoffMs, requestedMs);
    failures += 1;
    const waiting = linkTo(signal);
    wake = () => waiting.abort();
    setState({ kind: 'waiting', delayMs, because });
    await clock.sleep(delayMs, waiting.signal);
    waiting.release();
  }

  return Object.defineProperties(run(), {
    state: { get: () => state },
    lastEventId: { get: () => handledId },
    reconnect: { value: () => wake() },
  }) as EventStream; // the generator, plus these three members
}
