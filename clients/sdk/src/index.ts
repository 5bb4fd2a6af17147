/** The public API of `@parley-chat/client`. */
import type { components } from './contract.d.ts';

export type { CallOptions, Fetch } from './calls.ts';
export type { Clock } from './clock.ts';
/** The types of the whole API, as openapi-typescript generates them. */
export type { components, operations, paths } from './contract.d.ts';
export type { DeviceStorage } from './devices.ts';
export type { EndOfStream, EventStream, EventsOptions, Interruption, StreamState } from './events.ts';
export type { StreamEvent } from './frames.ts';
export { createParley, type Parley, type ParleyOptions } from './parley.ts';
export type { Problem, ProblemCode, Result } from './problem.ts';
export type {
  EndReason,
  Lock,
  Session,
  SessionChange,
  SessionStorage,
} from './session.ts';

type Schemas = components['schemas'];
export type Account = Schemas['Account'];
export type User = Schemas['User'];
export type OnlineUser = Schemas['OnlineUser'];
export type BroadcastMessage = Schemas['BroadcastMessage'];
export type DirectMessage = Schemas['DirectMessage'];
export type Message = BroadcastMessage | DirectMessage;
export type Conversation = Schemas['Conversation'];
export type Gap = Schemas['Gap'];
export type PresenceMode = Schemas['PresenceMode'];
