/**
 * The bytes of one connection as frames: an event of the contract and its place, if it has one. Whatever else comes,
 * broken JSON, unknown kinds, lines without end, is passed over or ends the connection; it never throws.
 */
import { createParser } from 'eventsource-parser';
import type { components } from '../contract.d.ts';

/** The client counts bytes as signs of life; it does not ask for them as events. */
export type StreamEvent = Exclude<components['schemas']['StreamEvent'], { kind: 'heartbeat' }>;
export type Frame = { event: StreamEvent | undefined; id: string | undefined };
/** Why there are no more: the connection broke or ended, or nothing came for too long. */
export type EndOfFrames = 'broken' | 'silent';

/** Before `ready` says how often a sign of life comes. */
const FIRST_HEARTBEAT_MS = 25_000;
/** No event is near that; a line without end would fill the memory. */
const LONGEST_CHARACTERS = 4_000_000;

type Shape = Record<string, 'string' | 'number' | 'boolean'>;
/** What is looked at before an event is passed on: enough to tell it from garbage. */
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
    return value as StreamEvent; // of this kind, and with the fields that matter
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
  // Not left to fetch: in Node it forgets its signal once the request was collected as garbage.
  signal.addEventListener('abort', cancel);
  const decoder = new TextDecoder();
  const queue: Frame[] = [];
  let heartbeatMs = FIRST_HEARTBEAT_MS;
  let isFlooded = false;
  let end: EndOfFrames | undefined;
  const parser = createParser({
    maxBufferSize: LONGEST_CHARACTERS,
    onRetry,
    onEvent: ({ data, id }) => {
      const event = readEvent(data);
      if (event?.kind === 'ready') heartbeatMs = event.heartbeatMs;
      queue.push({ event, id });
    },
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') isFlooded = true;
    },
  });

  async function more(): Promise<EndOfFrames | undefined> {
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
      return isFlooded ? 'broken' : undefined;
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
        end = await more();
      }
    },
  };
}
