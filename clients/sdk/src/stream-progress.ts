/**
 * The positions that the stream has received and that its consumer has handled. Duplicates are dropped by message id; the newest
 * 10,000 ids are remembered, the default size of an inbox.
 */
import type { Acknowledger } from './acknowledge.ts';
import type { Frame, StreamEvent } from './frames.ts';
import type { EventsOptions } from './stream-types.ts';

export type StreamProgress = ReturnType<typeof createStreamProgress>;

const REMEMBERED_IDS = 10_000;

export function createStreamProgress(
  acknowledger: Acknowledger,
  { lastEventId, acknowledge = true }: EventsOptions,
) {
  const isRepeat = createRepeatCheck();
  let receivedId = lastEventId;
  let handledId = lastEventId;
  let username: string | undefined;

  return {
    /** The position of the newest event received. */
    receivedId: (): string | undefined => receivedId,
    /** The position of the newest event handled by the consumer. */
    handledId: (): string | undefined => handledId,

    /** Returns the event for the consumer; undefined if there is none or it is a duplicate. */
    receive({ event, id }: Frame): StreamEvent | undefined {
      if (id !== undefined) receivedId = id;
      if (!event || isRepeat(event)) return undefined;
      if (event.kind === 'ready') username = event.username;
      return event;
    },

    markHandled({ event, id }: Frame): void {
      if (id !== undefined) handledId = id;
      if (acknowledge && event?.kind === 'dm' && event.to === username) acknowledger.add(event.id);
    },
  };
}

function createRepeatCheck(): (event: StreamEvent) => boolean {
  const seen = new Set<string>();
  return (event) => {
    if (event.kind !== 'dm' && event.kind !== 'broadcast') return false;
    if (seen.has(event.id)) return true;
    seen.add(event.id);
    if (seen.size > REMEMBERED_IDS) {
      const [oldest] = seen; // sets keep insertion order
      if (oldest !== undefined) seen.delete(oldest);
    }
    return false;
  };
}
