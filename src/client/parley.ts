/** The client: every operation of the contract as a function, the session behind them, and the stream of events. */
import createClient from 'openapi-fetch';
import type { components, paths } from '../contract.d.ts';
import { createAcknowledger } from './acknowledge.ts';
import { authorizing, type CallOptions, createCaller, type Fetch } from './calls.ts';
import { type Clock, realClock } from './clock.ts';
import { createDevices, type DeviceStorage } from './devices.ts';
import { type EventStream, type EventsOptions, openEvents } from './events.ts';
import type { Result } from './problem.ts';
import {
  createSessions,
  type Lock,
  randomId,
  type Session,
  type SessionChange,
  type SessionStorage,
  tabLock,
} from './session.ts';

type Schemas = components['schemas'];
/** What the contract calls this answer, or a problem. */
type Answer<Name extends keyof Schemas> = Promise<Result<Schemas[Name]>>;
type SendOptions = CallOptions & {
  /** Made anew for each call unless given: give your own to repeat a send across restarts of your program. */
  idempotencyKey?: string;
};
type Page = { before?: number; after?: number; limit?: number };
type Listing = { cursor?: string; limit?: number };

export type ParleyOptions = {
  /** Where the server is: `https://chat.example.org`. In a page that the server itself serves, leave it out. */
  baseUrl?: string;
  fetch?: Fetch;
  /** Where the session is kept; without one, in memory only. */
  storage?: SessionStorage;
  /** Where this device's tokens are kept (what `login` answers as `deviceToken`), over logouts; see `DeviceStorage`. */
  devices?: DeviceStorage;
  /** For clients that share a storage. Default: `navigator.locks`, where there is one. */
  lock?: Lock;
  onSession?: (change: SessionChange) => void;
  clock?: Partial<Clock>;
};

export type Parley = ReturnType<typeof createParley>;

export function createParley(options: ParleyOptions = {}) {
  const baseUrl = (options.baseUrl ?? '').replace(/\/+$/, '');
  const send: Fetch = options.fetch ?? ((request) => fetch(request));
  const clock: Clock = { ...realClock, ...options.clock };
  const { once, repeatedly } = createCaller(clock);

  const open = createClient<paths>({ baseUrl, fetch: send });
  const devices = createDevices(options.devices);
  const sessions = createSessions({
    exchange: (refreshToken, nonce) =>
      repeatedly((signal) => open.POST('/v1/refresh', { body: { refreshToken, nonce }, signal }), undefined),
    storage: options.storage,
    lock: options.lock ?? tabLock,
    lockName: `parley ${baseUrl}`,
    clock,
    onChange: (change) => {
      if (change.kind !== 'refreshed') acknowledger.drop();
      options.onSession?.(change);
    },
  });
  const api = createClient<paths>({ baseUrl, fetch: authorizing(send, sessions) });

  const ackMailbox = (upTo: string, { signal }: CallOptions = {}): Answer<'Unread'> =>
    repeatedly((signal) => api.POST('/v1/mailbox/ack', { body: { upTo }, signal }), signal);
  const acknowledger = createAcknowledger((upTo) =>
    once((signal) => api.POST('/v1/mailbox/ack', { body: { upTo }, signal }), undefined),
  );

  return {
    register: (body: Schemas['Registration'], { signal }: CallOptions = {}): Answer<'Account'> =>
      once((signal) => open.POST('/v1/register', { body, signal }), signal),

    /** Begins a session, as a device that is known if it is. One that was there before is left, not ended: log out first. */
    async login(
      body: Schemas['Credentials'],
      { signal }: CallOptions = {},
    ): Promise<Result<Pick<Schemas['Login'], 'account' | 'online'>>> {
      const askedAtMs = clock.now();
      const deviceToken = body.deviceToken ?? (await devices.of(body.username));
      const known = { ...body, ...(deviceToken !== undefined && { deviceToken }) };
      const { data, problem } = await once(
        (signal) => open.POST('/v1/login', { body: known, signal }),
        signal,
      );
      if (problem) return { problem };
      await devices.keep(body.username, data.deviceToken);
      await sessions.begin(data, askedAtMs);
      return { data: { account: data.account, online: data.online } };
    },

    /** Acknowledges what was taken, and ends the session: here in any case, on the server if there is no problem. */
    async logout({ signal }: CallOptions = {}): Promise<Result<undefined>> {
      await acknowledger.flush();
      const result = await once<undefined>((signal) => api.POST('/v1/logout', { signal }), signal);
      await sessions.end('logout');
      return result;
    },

    /** The session of the storage, or one that was exported: what `session` was elsewhere. */
    restore: (session?: Session): Promise<Session | undefined> => sessions.restore(session),
    /** Of whom and until when; with its tokens. */
    get session(): Session | undefined {
      return sessions.current();
    },

    getMe: ({ signal }: CallOptions = {}): Answer<'Account'> =>
      repeatedly((signal) => api.GET('/v1/me', { signal }), signal),
    updateMe: (body: Schemas['AccountUpdate'], { signal }: CallOptions = {}): Answer<'Account'> =>
      repeatedly((signal) => api.PATCH('/v1/me', { body, signal }), signal),
    getUser: (username: string, { signal }: CallOptions = {}): Answer<'User'> =>
      repeatedly(
        (signal) => api.GET('/v1/users/{username}', { params: { path: { username } }, signal }),
        signal,
      ),
    listOnline: ({ signal, ...query }: Listing & CallOptions = {}): Answer<'OnlinePage'> =>
      repeatedly((signal) => api.GET('/v1/online', { params: { query }, signal }), signal),

    sendBroadcast(
      text: string,
      { signal, idempotencyKey = randomId() }: SendOptions = {},
    ): Answer<'BroadcastMessage'> {
      const params = { header: { 'Idempotency-Key': idempotencyKey } };
      return repeatedly((signal) => api.POST('/v1/broadcasts', { params, body: { text }, signal }), signal);
    },
    listBroadcasts: ({ signal, ...query }: Page & CallOptions = {}): Answer<'BroadcastPage'> =>
      repeatedly((signal) => api.GET('/v1/broadcasts', { params: { query }, signal }), signal),
    sendDirect(
      username: string,
      text: string,
      { signal, idempotencyKey = randomId() }: SendOptions = {},
    ): Answer<'DirectMessage'> {
      const params = { path: { username }, header: { 'Idempotency-Key': idempotencyKey } };
      return repeatedly(
        (signal) => api.POST('/v1/dm/{username}', { params, body: { text }, signal }),
        signal,
      );
    },
    listDirect: (username: string, { signal, ...query }: Page & CallOptions = {}): Answer<'MessagePage'> =>
      repeatedly(
        (signal) => api.GET('/v1/dm/{username}', { params: { path: { username }, query }, signal }),
        signal,
      ),
    listConversations: ({ signal, ...query }: Listing & CallOptions = {}): Answer<'ConversationPage'> =>
      repeatedly((signal) => api.GET('/v1/dm', { params: { query }, signal }), signal),

    getMailbox: ({
      signal,
      ...query
    }: { after?: string; limit?: number } & CallOptions = {}): Answer<'Mailbox'> =>
      repeatedly((signal) => api.GET('/v1/mailbox', { params: { query }, signal }), signal),
    ackMailbox,

    /** For readers of the stream that cannot send a header; `events` needs none. */
    createTicket: ({ signal }: CallOptions = {}): Answer<'Ticket'> =>
      repeatedly((signal) => api.POST('/v1/events/ticket', { signal }), signal),
    liveness: ({ signal }: CallOptions = {}): Answer<'Liveness'> =>
      once((signal) => open.GET('/livez', { signal }), signal),
    readiness: ({ signal }: CallOptions = {}): Answer<'Readiness'> =>
      once((signal) => open.GET('/readyz', { signal }), signal),

    /** Everything that happens, live. Nothing is asked for before the first event is. */
    events: (events: EventsOptions = {}): EventStream =>
      openEvents({ api, sessions, acknowledger, clock }, events),
  };
}
