/** The public API of `@parley-chat/client`. */
import type { Schemas } from './parley.ts';

export type { CallOptions, Fetch } from './calls.ts';
export type { Clock } from './clock.ts';
/** The types of the whole API, as openapi-typescript generates them. */
export type { components, operations, paths } from './contract.d.ts';
export type { ParleyOptions } from './core.ts';
export type { DeviceStorage, MaybePromise } from './devices.ts';
export type { StreamEvent } from './frames.ts';
export type { Lock } from './lock.ts';
export {
  type Answer,
  createParley,
  type Listing,
  type Page,
  type Parley,
  type Schemas,
  type SendOptions,
} from './parley.ts';
export type {
  ClientCode,
  ClientProblem,
  Problem,
  ProblemCode,
  ProblemFields,
  Result,
  ServerCode,
  ServerProblem,
} from './problem.ts';
export type {
  EndReason,
  Session,
  SessionChange,
  SessionStorage,
} from './session.ts';
export type { EndOfStream, EventStream, EventsOptions, Interruption, StreamState } from './stream-types.ts';

export type Account = Schemas['Account'];
export type User = Schemas['User'];
export type OnlineUser = Schemas['OnlineUser'];
export type BroadcastMessage = Schemas['BroadcastMessage'];
export type DirectMessage = Schemas['DirectMessage'];
export type Message = BroadcastMessage | DirectMessage;
export type Conversation = Schemas['Conversation'];
export type Gap = Schemas['Gap'];
export type PresenceMode = Schemas['PresenceMode'];
