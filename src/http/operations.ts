/**
 * What each operation of the contract does, in values. `Operations` is made from the generated contract: an operation
 * that is missing here, or that the contract does not know, does not compile. Nobody here sees a request or a response.
 */
import type { Accounts } from '../chat/accounts.ts';
import type { Mailbox } from '../chat/mailbox.ts';
import type { Messages, Sent } from '../chat/messages.ts';
import type { Caller, Json, Message, Network } from '../chat/model.ts';
import type { Presence } from '../chat/presence.ts';
import { invalid } from '../chat/problems.ts';
import type { Login, Sessions } from '../chat/sessions.ts';
import type { Tickets } from '../chat/tickets.ts';
import type { operations } from '../contract.d.ts';
import type { Hub } from '../streams/hub.ts';
import type { StreamAnswer } from '../streams/stream-request.ts';

export type OperationId = keyof operations;
/** What needs no token. The contract says the same (`security: []`); a test compares the two. */
export const PUBLIC_OPERATIONS = ['register', 'login', 'refresh', 'liveness', 'readiness'] as const;
type PublicOperation = (typeof PUBLIC_OPERATIONS)[number];
type Success = 200 | 201 | 204;

type JsonOf<T> = T extends { content: { 'application/json': infer Body } } ? Body : undefined;
type Given<T> = [T] extends [never] | [undefined] ? Record<never, never> : NonNullable<T>;

export type Call<Id extends OperationId> = {
  caller: Id extends PublicOperation ? undefined : Caller;
  /** Where the request comes from: limits are counted for each. */
  networks: Network[];
  /** Aborted when the client has gone or its time is up: what takes several steps stops between them. */
  signal: AbortSignal;
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
  /** Throws a problem that says why this node should get no requests now. */
  checkReady: () => Promise<void>;
};

export function createOperations(rooms: Services): Operations {
  const { accounts, sessions, tickets, presence, messages, mailbox, hub, nodeId, checkReady } = rooms;
  return {
    register: async ({ body, networks, signal }) => {
      const account = await accounts.register(body, networks, signal);
      const location = `users/${encodeURIComponent(account.username)}`;
      return { status: 201, body: account, headers: { Location: location } };
    },
    login: async ({ body, networks, signal }) => tokens(await sessions.login(body, networks, signal)),
    refresh: async ({ body }) => tokens(await sessions.refresh(body)),
    logout: async ({ caller }) => {
      await sessions.logout(caller);
      return { status: 204, body: undefined };
    },
    getMe: async ({ caller }) => ({ status: 200, body: await accounts.me(caller) }),
    updateMe: async ({ caller, body }) => ({
      status: 200,
      body: await accounts.rename(caller, body.displayName),
    }),
    getUser: async ({ path }) => ({ status: 200, body: await accounts.user(path.username) }),
    listOnline: async ({ query, signal }) => ({
      status: 200,
      body: await presence.list(query.limit ?? 100, query.cursor ?? null, signal),
    }),
    sendBroadcast: async ({ caller, body, header }) =>
      sent(await messages.broadcast(caller, body.text, idempotencyKey(header['Idempotency-Key']))),
    listBroadcasts: async ({ caller, query, signal }) => ({
      status: 200,
      body: await messages.broadcasts(caller, { ...query, limit: query.limit ?? 50 }, signal),
    }),
    sendDirect: async ({ caller, path, body, header }) =>
      sent(
        await messages.direct(caller, path.username, body.text, idempotencyKey(header['Idempotency-Key'])),
      ),
    listDirect: async ({ caller, path, query, signal }) => {
      const page = { ...query, limit: query.limit ?? 50 };
      return { status: 200, body: await messages.conversation(caller, path.username, page, signal) };
    },
    listConversations: async ({ caller, query, signal }) => ({
      status: 200,
      body: await messages.conversations(caller, query.limit ?? 50, query.cursor, signal),
    }),
    getMailbox: async ({ caller, query, signal }) => ({
      status: 200,
      body: await mailbox.list(caller, query.limit ?? 100, query.after, signal),
    }),
    ackMailbox: async ({ caller, body, signal }) => ({
      status: 200,
      body: await mailbox.ack(caller, body.upTo, signal),
    }),
    openStream: async ({ caller, query, header }) => ({
      status: 200,
      stream: (answer) =>
        hub.open(answer, {
          ...caller,
          lastEventId: eventId(header['Last-Event-ID']) ?? eventId(query.after),
          presence: query.presence ?? 'all',
          heartbeat: query.heartbeat ?? 'comment',
        }),
    }),
    createTicket: async ({ caller }) => ({
      status: 201,
      body: await tickets.issue(caller),
    }),
    liveness: async () => ({ status: 200, body: { status: 'ok' } }),
    readiness: async () => {
      await checkReady();
      return { status: 200, body: { status: 'ok', redis: 'ok', node: nodeId } };
    },
  };
}

const tokens = (body: Login) => ({ status: 200 as const, body });

function sent<M extends Message>({ message, isReplay }: Sent<M>) {
  return {
    status: 201 as const,
    json: message,
    ...(isReplay && { headers: { 'Idempotent-Replayed': 'true' } }),
  };
}

/** An empty id is none (WHATWG HTML, section 9.2.6): some readers send the header with nothing in it, or twice so. */
const eventId = (given: string | undefined): string | undefined =>
  given !== undefined && /[^\s,]/.test(given) ? given : undefined;

/** Bare, or quoted as a structured field (RFC 8941): the quotes are not part of the key. */
function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (key.length < 1 || key.length > 255)
    throw invalid('header/Idempotency-Key', 'must be 1 to 255 characters');
  return key;
}
