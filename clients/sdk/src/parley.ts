/** The client: one method per operation of the contract, session handling, and the event stream. */
import type { CallOptions } from './calls.ts';
import type { components } from './contract.d.ts';
import { type Core, createCore, type ParleyOptions } from './core.ts';
import { openEvents } from './events.ts';
import type { Result } from './problem.ts';
import { randomId } from './random-id.ts';
import type { Session } from './session.ts';
import type { EventStream, EventsOptions } from './stream-types.ts';

export type Schemas = components['schemas'];
/** Resolves to this schema of the contract, or to a problem. */
export type Answer<Name extends keyof Schemas> = Promise<Result<Schemas[Name]>>;
export type SendOptions = CallOptions & {
  /** Default: a new key per call. Pass your own to repeat a send safely after a restart of your program. */
  idempotencyKey?: string;
};
/** Which messages: those before or after a `seq`, at most `limit`. Default: the newest. */
export type Page = { before?: number; after?: number; limit?: number };
/** Which part of a list: from the `nextCursor` of the page before, at most `limit`. Default: the first page. */
export type Listing = { cursor?: string; limit?: number };

export type Parley = ReturnType<typeof createParley>;

/** Creates a client. It makes no call until one of its methods is called. */
export function createParley(options: ParleyOptions = {}) {
  const core = createCore(options);
  const client = {
    /** The current session with its tokens, or undefined if logged out. */
    get session(): Session | undefined {
      return core.sessions.current();
    },
  };
  // Spread into a literal, `session` would no longer be read-only.
  return Object.assign(client, {
    ...sessionOperations(core),
    ...userOperations(core),
    ...messageOperations(core),
    ...mailboxOperations(core),
    ...streamOperations(core),
    ...healthOperations(core),
  });
}

function sessionOperations({ once, api, publicApi, sessions, devices, acknowledger, clock }: Core) {
  return {
    /** Creates an account. Does not log in, and is not retried: `username_taken` may be the result of a lost response. */
    register: (body: Schemas['Registration'], { signal }: CallOptions = {}): Answer<'Account'> =>
      once((signal) => publicApi.POST('/v1/register', { body, signal }), signal),

    /**
     * Starts a session; sends the stored device token, if there is one. A previous session is dropped here but not ended
     * on the server: call `logout` first. Not retried.
     */
    async login(
      body: Schemas['Credentials'],
      { signal }: CallOptions = {},
    ): Promise<Result<Pick<Schemas['Login'], 'account' | 'online'>>> {
      const requestedAtMs = clock.now();
      const deviceToken = body.deviceToken ?? (await devices.tokenFor(body.username));
      const credentials = { ...body, ...(deviceToken !== undefined && { deviceToken }) };
      const { data, problem } = await once(
        (signal) => publicApi.POST('/v1/login', { body: credentials, signal }),
        signal,
      );
      if (problem) return { problem };
      await devices.save(body.username, data.deviceToken);
      await sessions.begin(data, requestedAtMs);
      return { data: { account: data.account, online: data.online } };
    },

    /**
     * Sends pending acknowledgements and ends the session. The local session ends even if a problem is returned; the one
     * on the server then lives on.
     */
    async logout({ signal }: CallOptions = {}): Promise<Result<undefined>> {
      await acknowledger.flush();
      const result = await once<undefined>((signal) => api.POST('/v1/logout', { signal }), signal);
      await sessions.end('logout');
      return result;
    },

    /** The session of the storage, or one that was exported: what `session` was elsewhere. */
    restore: (session?: Session): Promise<Session | undefined> => sessions.restore(session),
  };
}

function userOperations({ withRetries, api }: Core) {
  return {
    /** The account of this session. */
    getMe: ({ signal }: CallOptions = {}): Answer<'Account'> =>
      withRetries((signal) => api.GET('/v1/me', { signal }), signal),
    /** Changes the profile of this account. */
    updateMe: (body: Schemas['AccountUpdate'], { signal }: CallOptions = {}): Answer<'Account'> =>
      withRetries((signal) => api.PATCH('/v1/me', { body, signal }), signal),
    /** The public profile of an account, and whether it is online; `unknown_user` if there is none. */
    getUser: (username: string, { signal }: CallOptions = {}): Answer<'User'> =>
      withRetries(
        (signal) => api.GET('/v1/users/{username}', { params: { path: { username } }, signal }),
        signal,
      ),
    /** The accounts that are online, by page. */
    listOnline: ({ signal, ...query }: Listing & CallOptions = {}): Answer<'OnlinePage'> =>
      withRetries((signal) => api.GET('/v1/online', { params: { query }, signal }), signal),
  };
}

function messageOperations({ withRetries, api }: Core) {
  return {
    /** Sends a message to everybody. A retry after a lost response stores it once. */
    sendBroadcast(
      text: string,
      { signal, idempotencyKey = randomId() }: SendOptions = {},
    ): Answer<'BroadcastMessage'> {
      const params = { header: { 'Idempotency-Key': idempotencyKey } };
      return withRetries((signal) => api.POST('/v1/broadcasts', { params, body: { text }, signal }), signal);
    },
    /** Broadcasts from the history, oldest first. */
    listBroadcasts: ({ signal, ...query }: Page & CallOptions = {}): Answer<'BroadcastPage'> =>
      withRetries((signal) => api.GET('/v1/broadcasts', { params: { query }, signal }), signal),
    /** Sends a message to one account. A retry after a lost response stores it once. */
    sendDirect(
      username: string,
      text: string,
      { signal, idempotencyKey = randomId() }: SendOptions = {},
    ): Answer<'DirectMessage'> {
      const params = { path: { username }, header: { 'Idempotency-Key': idempotencyKey } };
      return withRetries(
        (signal) => api.POST('/v1/dm/{username}', { params, body: { text }, signal }),
        signal,
      );
    },
    /** Messages of the conversation with an account, oldest first. */
    listDirect: (username: string, { signal, ...query }: Page & CallOptions = {}): Answer<'MessagePage'> =>
      withRetries(
        (signal) => api.GET('/v1/dm/{username}', { params: { path: { username }, query }, signal }),
        signal,
      ),
    /** The conversations of this account, the most recent first, with the number of unread messages. */
    listConversations: ({ signal, ...query }: Listing & CallOptions = {}): Answer<'ConversationPage'> =>
      withRetries((signal) => api.GET('/v1/dm', { params: { query }, signal }), signal),
  };
}

function mailboxOperations({ withRetries, api }: Core) {
  return {
    /** Direct messages that were not acknowledged yet, oldest first. */
    getMailbox: ({
      signal,
      ...query
    }: { after?: string; limit?: number } & CallOptions = {}): Answer<'Mailbox'> =>
      withRetries((signal) => api.GET('/v1/mailbox', { params: { query }, signal }), signal),
    /** Acknowledges all direct messages up to the one with this id. `events` does so by itself. */
    ackMailbox: (upTo: string, { signal }: CallOptions = {}): Answer<'Unread'> =>
      withRetries((signal) => api.POST('/v1/mailbox/ack', { body: { upTo }, signal }), signal),
  };
}

function streamOperations(core: Core) {
  return {
    /** For clients that cannot send headers with the stream request, such as EventSource. `events` does not need one. */
    createTicket: ({ signal }: CallOptions = {}): Answer<'Ticket'> =>
      core.withRetries((signal) => core.api.POST('/v1/events/ticket', { signal }), signal),
    /** Opens the event stream. It connects when the first event is requested. */
    events: (options: EventsOptions = {}): EventStream => openEvents(core, options),
  };
}

function healthOperations({ once, publicApi }: Core) {
  return {
    /** Whether the server process responds. */
    liveness: ({ signal }: CallOptions = {}): Answer<'Liveness'> =>
      once((signal) => publicApi.GET('/livez', { signal }), signal),
    /** Whether the server can serve requests: it is not shutting down, and Redis responds. */
    readiness: ({ signal }: CallOptions = {}): Answer<'Readiness'> =>
      once((signal) => publicApi.GET('/readyz', { signal }), signal),
  };
}
