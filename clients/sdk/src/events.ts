/**
 * The event stream as an async iterable of typed events. It reconnects by itself and resumes where it stopped, refreshes
 * an expired access token, waits as long as the server asks (`retry:`, Retry-After) with exponential backoff, and ends
 * only when reconnecting cannot help: see EndOfStream.
 *
 * It is pull-based: while the consumer is busy nothing is read, and the server replays from its log later. Anything that
 * is not an event of the contract is skipped.
 */
import type { Acknowledger } from './acknowledge.ts';
import type { Api } from './calls.ts';
import { type Clock, linkTo } from './clock.ts';
import type { StreamEvent } from './frames.ts';
import { createReconnectDelay } from './reconnect-delay.ts';
import type { Sessions } from './sessions.ts';
import { readConnection } from './stream-connection.ts';
import { createStreamProgress } from './stream-progress.ts';
import type { EndOfStream, EventStream, EventsOptions, Interruption, StreamState } from './stream-types.ts';

type Deps = { api: Api; sessions: Sessions; acknowledger: Acknowledger; clock: Clock };

export function openEvents(deps: Deps, options: EventsOptions): EventStream {
  const { api, sessions, acknowledger, clock } = deps;
  const { presence, onState } = options;
  const progress = createStreamProgress(acknowledger, options);
  const delay = createReconnectDelay(clock);
  const status = createStatus(clock, onState);
  let openedWithToken: string | undefined;

  function connect(stop: AbortSignal): AsyncGenerator<StreamEvent, Interruption> {
    status.set({ kind: 'connecting' });
    const onOpen = (): void => {
      openedWithToken = sessions.current()?.accessToken;
    };
    const onReady = (): void => status.set({ kind: 'open' });
    return readConnection({ api, presence, progress, delay, onOpen, onReady }, stop);
  }

  async function* run(): AsyncGenerator<StreamEvent, void, undefined> {
    await sessions.load();
    const sessionSignal = sessions.signal();
    const stop = linkTo(options.signal, sessionSignal);
    let end: StreamState = { kind: 'ended', reason: 'aborted' };
    try {
      while (!stop.signal.aborted) {
        const because = yield* connect(stop.signal);
        if (stop.signal.aborted) break;
        const reason = await endOf(because, sessions, openedWithToken);
        if (reason) {
          end = { kind: 'ended', reason, ...(typeof because === 'object' && { problem: because }) };
          break;
        }
        const delayMs = delay.next(because);
        if (delayMs !== undefined) await status.wait(delayMs, because, stop.signal);
      }
    } catch (error) {
      if (!stop.signal.aborted) throw error;
    } finally {
      if (sessionSignal.aborted && !options.signal?.aborted) end = { kind: 'ended', reason: 'session' };
      stop.release();
      void acknowledger.flush();
      status.set(end);
    }
  }

  return Object.defineProperties(run(), {
    state: { get: status.get },
    lastEventId: { get: progress.handledId },
    reconnect: { value: status.wake },
  }) as EventStream; // the generator, plus these three members
}

/** The state of the stream, and the wait before its next attempt. */
function createStatus(clock: Clock, onState: EventsOptions['onState']) {
  let state: StreamState = { kind: 'idle' };
  let wake = () => {};

  function set(next: StreamState): void {
    state = next;
    onState?.(next);
  }

  return {
    get: (): StreamState => state,
    set,
    async wait(delayMs: number, because: Interruption, signal: AbortSignal): Promise<void> {
      const waiting = linkTo(signal);
      wake = () => waiting.abort();
      set({ kind: 'waiting', delayMs, because });
      await clock.sleep(delayMs, waiting.signal);
      waiting.release();
    },
    /** Ends the wait. */
    wake: (): void => wake(),
  };
}

/** Ends the session or refreshes its token if the interruption asks for it. Returns undefined to reconnect. */
async function endOf(
  because: Interruption,
  sessions: Sessions,
  openedWithToken: string | undefined,
): Promise<EndOfStream | undefined> {
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
