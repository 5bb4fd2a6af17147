/** Events inside one node. A module that is built early emits them, and the app connects them to modules built later. */
import { EventEmitter } from 'node:events';
import type { PresenceChange } from './streams/node-presence.ts';

export type NodeEvents = EventEmitter<{
  /** A session was revoked, on this node or another. */
  sessionEnded: [sid: string];
  /** Accounts came online or went offline, on any node. */
  presenceChanged: [change: PresenceChange];
}>;

export const createNodeEvents = (): NodeEvents => new EventEmitter();
