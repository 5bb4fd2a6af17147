/** The public types of the event stream. */
import type { components } from './contract.d.ts';
import type { StreamEvent } from './frames.ts';
import type { Problem } from './problem.ts';

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
