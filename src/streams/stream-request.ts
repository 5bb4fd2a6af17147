/** What asks for a stream, and the answer that becomes one. */
import type { Writable } from 'node:stream';
import type { HeartbeatMode, PresenceMode, ReplayBudget } from './stream.ts';

/** The answer that becomes a stream. */
export type StreamAnswer = {
  /** The client went, or was told that this took too long. */
  isOver(): boolean;
  /** Send its head. Answers what takes the events. */
  begin(): Writable;
  /** What it reads until it is level is charged there. */
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
