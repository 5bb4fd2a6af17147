/** A request for a stream, and the response that becomes one. */
import type { Writable } from 'node:stream';
import type { HeartbeatMode, PresenceMode, ReplayBudget } from './stream.ts';

/** The response that becomes a stream. */
export type StreamAnswer = {
  /** Aborted when the client disconnected or the request timed out. */
  isOver(): boolean;
  /** Send the response headers. Returns the writable for the events. */
  begin(): Writable;
  /** The budget charged for what the stream reads until it is level. */
  meter?: ReplayBudget;
};

export type StreamRequest = {
  username: string;
  sid: string;
  expiresAtMs: number;
  lastEventId: string | undefined;
  presence: PresenceMode;
  heartbeat: HeartbeatMode;
};
