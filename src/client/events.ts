/**
 * The stream as an async iterable of typed events, over as many connections as it takes. It comes back by itself with
 * its place, refreshes when told that the token has expired, waits as the server asks (`retry:`, Retry-After) and
 * longer each time in vain, and ends only when coming back is useless: see EndOfStream.
 *
 * It is pulled: a consumer that takes its time is not read for, the server notices and replays later from its log.
 * Repeats are dropped by message id; the newest 10,000 are remembered, as many as an inbox keeps by default. What is
 * not an event of the contract is passed over.
 */
import type { components } from '../contract.d.ts';
import type { Acknowledger } from './acknowledge.ts';
import { ANSWER_MS, type Api } from './calls.ts';
import { type Clock, jittered, linkTo } from './clock.ts';
import { createFrames, type Frame, type StreamEvent } from './frames.ts';
import { type Problem, problemFrom, problemOf, type Result } from './problem.ts';
import type { Sessions } from './session.ts';

export type EventsOptions = {
  signal?: AbortSignal;
  /** Go on from here: what `lastEventId` of an earlier stream was. Without it: the mailbox, then live. */
  lastEventId?: string;
  presence?: components['schemas']['PresenceMode'];
  /** Acknowledge each direct message when the next event is asked for. Default true. */
  acknowledge?: boolean;
  onState?: (state: StreamState) => void;
};

/** Why a stream is over. `aborted`: by its signal, or left by the consumer. `replaced`: too many streams.
 *  `session`: logged out, or ended by the server. `refused`: the server does not want this; see the problem. */
export type EndOfStream = 'aborted' | 'replaced' | 'session' | 'refused';
/** What interrupted it: a goodbye, a connection that broke or fell silent, or what the server said instead. */
export type Interruption = components['schemas']['GoodbyeCode'] | 'broken' | 'silent' | Problem;
export type StreamState =
  | { kind: 'idle' }
  | { kind: 'connecting' }
  | { kind: 'open' }
  | { kind: 'waiting'; delayMs: number; because: Interruption }
  | { kind: 'ended'; reason: EndOfStream; problem?: Problem };

export type EventStream = AsyncGenerator<StreamEvent, void, undefined> & {
  readonly state: StreamState;
  /** The place of the newest event that was taken; keep it to resume after a restart. */
  readonly lastEventId: string | undefined;
  /** If it is waiting to come back: come back now. */
  reconnect(): void;
};

type Deps = { api: Api; sessions: Sessions; acknowledger: Acknowledger; clock: Clock };

const REMEMBERED = 10_000;
const LONGEST_DELAY_MS = 30_000;
/** Until the server has said `retry:`. */
const DEFAULT_RETRY_MS = 2_000;
/** After a shorter life it does not come back at once: that could go on for ever. */
const SHORT_LIFE_MS = 1_000;

export function openEvents(
  { api, sessions, acknowledger, clock }: Deps,
  options: EventsOptions,
): EventStream {
  const { presence, acknowledge = true, onState } = options;
  const seen = new Set<string>();
  let state: StreamState = { kind: 'idle' };
  let hurry = () => {};
  /** Of the newest event that came, and of the newest that was taken. */
  let cursor = options.lastEventId;
  let taken = options.lastEventId;
  let retryMs = DEFAULT_RETRY_MS;
  let failures = 0;
  let openedAtMs = 0;
  let openedWith: string | undefined;
  let username: string | undefined;

  function tell(next: StreamState): void {
    state = next;
    onState?.(next);
  }

  function isRepeat(event: StreamEvent): boolean {
    if (event.kind !== 'dm' && event.kind !== 'broadcast') return false;
    if (seen.has(event.id)) return true;
    seen.add(event.id);
    if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!); // a set is in order: the oldest
    return false;
  }

  function take({ event, id }: Frame): void {
    if (id !== undefined) taken = id;
    if (acknowledge && event?.kind === 'dm' && event.to === username) acknowledger.taken(event.id);
  }

  async function connect(signal: AbortSignal): Promise<Result<ReadableStream<Uint8Array>>> {
    const link = linkTo(signal);
    const timer = setTimeout(() => link.abort(new Error('the stream does not open')), ANSWER_MS);
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

  /** One connection, from its opening to its end. Answers what ended it. */
  async function* listen(stop: AbortSignal): AsyncGenerator<StreamEvent, Interruption> {
    const link = linkTo(stop);
    try {
      tell({ kind: 'connecting' });
      const { data: body, problem } = await connect(link.signal);
      if (problem) return problem;
      const onRetry = (ms: number): void => {
        retryMs = ms;
      };
      const frames = createFrames(body, onRetry, link.signal);
      openedAtMs = clock.now();
      openedWith = sessions.current()?.accessToken;
      while (!stop.aborted) {
        const frame = await frames.next();
        if (typeof frame === 'string') return frame;
        const { event, id } = frame;
        if (id !== undefined) cursor = id;
        if (event && !isRepeat(event)) {
          if (event.kind === 'ready') {
            username = event.username;
            tell({ kind: 'open' });
          }
          if (event.kind !== 'goodbye') failures = 0; // a stream that was not opened is one more failure
          yield event;
          if (event.kind === 'goodbye') return event.code;
        }
        take(frame);
      }
      return 'broken';
    } finally {
      link.abort();
      link.release();
    }
  }

  async function* run(): AsyncGenerator<StreamEvent, void, undefined> {
    await sessions.load();
    const over = sessions.signal();
    const stop = linkTo(options.signal, over);
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
      if (over.aborted && !options.signal?.aborted) end = { kind: 'ended', reason: 'session' };
      stop.release();
      void acknowledger.flush();
      tell(end);
    }
  }

  /** Undefined when it should come back. */
  async function endOf(because: Interruption): Promise<EndOfStream | undefined> {
    if (because === 'replaced') return 'replaced';
    if (because === 'revoked') {
      await sessions.end('ended');
      return 'session';
    }
    if (typeof because === 'string') {
      if (because === 'expired') await sessions.token(openedWith);
      return undefined;
    }
    if (because.code === 'logged_out' || because.code === 'session_ended') return 'session';
    if (because.code === 'bad_refresh_token') return 'session';
    const { status = 503 } = because;
    return status < 500 && status !== 429 && because.code !== 'unreadable' ? 'refused' : undefined;
  }

  async function pause(because: Interruption, signal: AbortSignal): Promise<void> {
    if (because === 'expired' && failures === 0 && clock.now() - openedAtMs >= SHORT_LIFE_MS) return;
    const backoffMs = jittered(Math.min(LONGEST_DELAY_MS, retryMs * 2 ** failures), clock);
    const asked =
      typeof because === 'object' && 'retryAfterSeconds' in because
        ? because.retryAfterSeconds * 1_000
        : because === 'too_many_requests'
          ? retryMs
          : 0;
    // The first time as the server said: it drew `retry:` for this stream alone.
    const delayMs = failures === 0 ? Math.max(retryMs, asked) : Math.max(backoffMs, asked);
    failures += 1;
    const waiting = linkTo(signal);
    hurry = () => waiting.abort();
    tell({ kind: 'waiting', delayMs, because });
    await clock.sleep(delayMs, waiting.signal);
    waiting.release();
  }

  return Object.defineProperties(run(), {
    state: { get: () => state },
    lastEventId: { get: () => taken },
    reconnect: { value: () => hurry() },
  }) as EventStream; // these three are what it has beside a generator
}
