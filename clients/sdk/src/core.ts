/** Builds what the operations of one client share from its options. */
import createClient from 'openapi-fetch';
import { type Acknowledger, createAcknowledger } from './acknowledge.ts';
import { type Api, type Caller, createCaller, type Fetch, withAuthorization } from './calls.ts';
import { type Clock, realClock } from './clock.ts';
import type { paths } from './contract.d.ts';
import { createDevices, type DeviceStorage, type Devices } from './devices.ts';
import { type Lock, tabLock } from './lock.ts';
import type { SessionChange, SessionStorage } from './session.ts';
import { createSessions, type Sessions } from './sessions.ts';

export type ParleyOptions = {
  /** The server's URL, for example `https://chat.example.org`. Omit it in a page served by the server itself. */
  baseUrl?: string;
  /** Default: the global `fetch`. */
  fetch?: Fetch;
  /** Stores the session. Without a storage it is kept in memory only. */
  storage?: SessionStorage;
  /** Stores this device's tokens (`deviceToken` of the login response) beyond logouts; see `DeviceStorage`. */
  devices?: DeviceStorage;
  /** Serializes refreshes between clients that share a storage. Default: `navigator.locks`, if available. */
  lock?: Lock;
  /** Called when the session starts, is refreshed, or ends. */
  onSession?: (change: SessionChange) => void;
  /** For tests. */
  clock?: Partial<Clock>;
};

/** What the operations share. `publicApi` sends no access token. */
export type Core = Caller & {
  api: Api;
  publicApi: Api;
  sessions: Sessions;
  devices: Devices;
  acknowledger: Acknowledger;
  clock: Clock;
};

export function createCore(options: ParleyOptions): Core {
  const baseUrl = (options.baseUrl ?? '').replace(/\/+$/, '');
  const send: Fetch = options.fetch ?? ((request) => fetch(request));
  const clock: Clock = { ...realClock, ...options.clock };
  const { once, withRetries } = createCaller(clock);

  const publicApi = createClient<paths>({ baseUrl, fetch: send });
  const sessions = createSessions({
    exchange: (refreshToken, nonce) =>
      withRetries(
        (signal) => publicApi.POST('/v1/refresh', { body: { refreshToken, nonce }, signal }),
        undefined,
      ),
    storage: options.storage,
    lock: options.lock ?? tabLock,
    lockName: `parley ${baseUrl}`,
    clock,
    onChange: (change) => {
      if (change.kind !== 'refreshed') acknowledger.drop();
      options.onSession?.(change);
    },
  });
  const api = createClient<paths>({ baseUrl, fetch: withAuthorization(send, sessions) });
  const acknowledger = createAcknowledger((upTo) =>
    once((signal) => api.POST('/v1/mailbox/ack', { body: { upTo }, signal }), undefined),
  );
  const devices = createDevices(options.devices);
  return { once, withRetries, api, publicApi, sessions, devices, acknowledger, clock };
}
