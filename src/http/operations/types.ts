/**
 * The types of all operations, derived from the generated contract: an operation that is missing, or that the contract
 * does not define, does not compile. An operation works with values; it sees no request and no response.
 */
import type { Accounts } from '../../chat/accounts.ts';
import type { Mailbox } from '../../chat/mailbox.ts';
import type { Messages } from '../../chat/messages.ts';
import type { Caller, Json, Network } from '../../chat/model.ts';
import type { Presence } from '../../chat/presence.ts';
import type { Sessions } from '../../chat/sessions.ts';
import type { Tickets } from '../../chat/tickets.ts';
import type { components, operations } from '../../contract.d.ts';
import type { Hub } from '../../streams/hub.ts';
import type { StreamAnswer } from '../../streams/stream-types.ts';

export type OperationId = keyof operations;
/** Operations that need no token. A test compares them with the contract (`security: []`). */
export const PUBLIC_OPERATIONS = [
  'getLinks',
  'register',
  'login',
  'refresh',
  'liveness',
  'readiness',
] as const;
type PublicOperation = (typeof PUBLIC_OPERATIONS)[number];
type Success = 200 | 201 | 204;

type JsonOf<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;
type Given<T> = [T] extends [never] | [undefined] ? Record<never, never> : NonNullable<T>;

export type Call<Id extends OperationId> = {
  caller: Id extends PublicOperation ? undefined : Caller;
  /** The networks that the request comes from; limits are counted for each. */
  networks: Network[];
  /** Aborted when the client disconnects or the operation times out; work in several steps stops between them. */
  signal: AbortSignal;
  /** The problem that a request with this error would get; logged like that of a failed request. */
  problemOf(error: unknown): components['schemas']['Problem'];
  path: Given<operations[Id]['parameters']['path']>;
  query: Given<operations[Id]['parameters']['query']>;
  header: Given<operations[Id]['parameters']['header']>;
  body: operations[Id] extends { requestBody: infer Body } ? JsonOf<Body> : undefined;
};

/** A value, or the JSON of one that is stored as JSON. */
type Body<T> = { body: T } | { json: Json<T> };

export type Answer<Id extends OperationId> = {
  [Status in keyof operations[Id]['responses'] & Success]: {
    status: Status;
    headers?: Record<string, string>;
  } & (operations[Id]['responses'][Status] extends { content: { 'text/event-stream': unknown } }
    ? { stream: (answer: StreamAnswer) => Promise<void> }
    : Body<JsonOf<operations[Id]['responses'][Status]>>);
}[keyof operations[Id]['responses'] & Success];

export type Operations = { [Id in OperationId]: (call: Call<Id>) => Promise<Answer<Id>> };

export type Services = {
  accounts: Accounts;
  sessions: Sessions;
  tickets: Tickets;
  presence: Presence;
  messages: Messages;
  mailbox: Mailbox;
  hub: Pick<Hub, 'open' | 'size'>;
  nodeId: string;
  /** Throws a problem that says why this node should receive no requests now. */
  checkReady: () => Promise<void>;
};
