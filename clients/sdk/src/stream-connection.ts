/** One connection of the event stream: the request, and the events until the connection ends. */
import { type Api, RESPONSE_TIMEOUT_MS } from './calls.ts';
import { linkTo } from './clock.ts';
import { createFrames, type StreamEvent } from './frames.ts';
import { problemFrom, problemOf, type Result } from './problem.ts';
import type { ReconnectDelay } from './reconnect-delay.ts';
import type { StreamProgress } from './stream-progress.ts';
import type { EventsOptions, Interruption } from './stream-types.ts';

type Connection = {
  api: Api;
  presence: EventsOptions['presence'];
  progress: StreamProgress;
  delay: ReconnectDelay;
  /** Called when the server has accepted the request. */
  onOpen: () => void;
  /** Called before `ready` is passed on. */
  onReady: () => void;
};

/** Reads one connection to its end and returns what ended it. */
export async function* readConnection(
  { api, presence, progress, delay, onOpen, onReady }: Connection,
  stop: AbortSignal,
): AsyncGenerator<StreamEvent, Interruption> {
  const link = linkTo(stop);
  try {
    const { data: body, problem } = await connect(api, presence, progress.receivedId(), link.signal);
    if (problem) return problem;
    const frames = createFrames(body, delay.setRetry, link.signal);
    delay.connectionOpened();
    onOpen();
    while (!stop.aborted) {
      const frame = await frames.next();
      if (typeof frame === 'string') return frame;
      const event = progress.receive(frame);
      if (event) {
        if (event.kind === 'ready') onReady();
        if (event.kind !== 'goodbye') delay.eventReceived(); // a goodbye without any event before it is a failure
        yield event;
        if (event.kind === 'goodbye') return event.code;
      }
      progress.markHandled(frame);
    }
    return 'broken';
  } finally {
    link.abort();
    link.release();
  }
}

async function connect(
  api: Api,
  presence: EventsOptions['presence'],
  lastEventId: string | undefined,
  signal: AbortSignal,
): Promise<Result<ReadableStream<Uint8Array>>> {
  const link = linkTo(signal);
  const timer = setTimeout(
    () => link.abort(new Error(`no response within ${RESPONSE_TIMEOUT_MS} ms`)),
    RESPONSE_TIMEOUT_MS,
  );
  try {
    const { data, error, response } = await api.GET('/v1/events', {
      params: {
        query: { ...(presence && { presence }) },
        header: { ...(lastEventId !== undefined && { 'Last-Event-ID': lastEventId }) },
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
