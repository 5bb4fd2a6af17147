/**
 * Parses the bytes of one connection into frames: an event of the contract and its id, if it has one. Broken JSON and
 * unknown kinds are skipped, an overlong line ends the connection. Never throws.
 */
import { createParser } from 'eventsource-parser';
import type { components } from './contract.d.ts';

/** Heartbeats are not included: any bytes received show that the connection is alive. */
export type StreamEvent = Exclude<components['schemas']['StreamEvent'], { kind: 'heartbeat' }>;
export type Frame = { event: StreamEvent | undefined; id: string | undefined };
/** `broken`: the connection was closed or failed. `silent`: nothing was received for two heartbeats. */
export type EndOfFrames = 'broken' | 'silent';

/** Used until `ready` has announced the heartbeat interval. */
const FIRST_HEARTBEAT_MS = 25_000;
/** Far above the size of any event; protects memory from a line that never ends. */
const MAX_CHARACTERS = 4_000_000;

type Shape = Record<string, 'string' | 'number' | 'boolean'>;
/** The fields checked before an event is passed on: enough to reject garbage. */
const SHAPES: Record<StreamEvent['kind'], Shape> = {
  ready: { username: 'string', unread: 'number', heartbeatMs: 'number' },
  dm: { id: 'string', from: 'string', to: 'string', text: 'string', sentAt: 'string', seq: 'number' },
  broadcast: { id: 'string', from: 'string', text: 'string', sentAt: 'string', seq: 'number' },
  presence: { total: 'number' },
  mailbox: { unread: 'number', upTo: 'string' },
  gap: { log: 'string', reason: 'string', history: 'string' },
  goodbye: { code: 'string', reconnect: 'boolean' },
};

function readEvent(json: string): StreamEvent | undefined {
  try {
    const value: Record<string, unknown> | null = JSON.parse(json);
    const kind = value?.['kind'];
    if (!value || typeof kind !== 'string' || !Object.hasOwn(SHAPES, kind)) return undefined;
    const shape = Object.entries(SHAPES[kind as StreamEvent['kind']]);
    if (!shape.every(([field, type]) => typeof value[field] === type)) return undefined;
    return value as StreamEvent; // its kind and required fields were checked above
  } catch {
    return undefined;
  }
}

export function createFrames(
  body: ReadableStream<Uint8Array>,
  onRetry: (ms: number) => void,
  signal: AbortSignal,
) {
  const reader = body.getReader();
  const cancel = (): void => void reader.cancel().catch(() => {});
  // Do not rely on fetch: in Node it no longer observes its signal once the request was garbage-collected.
  signal.addEventListener('abort', cancel);
  const decoder = new TextDecoder();
  const queue: Frame[] = [];
  let heartbeatMs = FIRST_HEARTBEAT_MS;
  let isOverlong = false;
  let end: EndOfFrames | undefined;
  const parser = createParser({
    maxBufferSize: MAX_CHARACTERS,
    onRetry,
    onEvent: ({ data, id }) => {
      const event = readEvent(data);
      if (event?.kind === 'ready') heartbeatMs = event.heartbeatMs;
      queue.push({ event, id });
    },
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') isOverlong = true;
    },
  });

  async function readMore(): Promise<EndOfFrames | undefined> {
    let isSilent = false;
    const timer = setTimeout(() => {
      isSilent = true;
      cancel();
    }, 2 * heartbeatMs);
    try {
      const { done, value } = await reader.read();
      if (isSilent) return 'silent';
      if (done) return 'broken';
      parser.feed(decoder.decode(value, { stream: true }));
      return isOverlong ? 'broken' : undefined;
    } catch {
      return isSilent ? 'silent' : 'broken';
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    async next(): Promise<Frame | EndOfFrames> {
      for (;;) {
        const frame = queue.shift();
        if (frame) return frame;
        if (end) return end;
        end = await readMore();
      }
    },
  };
}
