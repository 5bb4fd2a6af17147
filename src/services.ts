/** The services that the HTTP operations call: the rules of `chat`, on top of the stores of this node. */
import { createAccessTokens } from './chat/access-tokens.ts';
import { createAccounts } from './chat/accounts.ts';
import { createDeviceTokens } from './chat/device-tokens.ts';
import { createLoginAttempts } from './chat/login-attempts.ts';
import { createMailbox } from './chat/mailbox.ts';
import { createMessages } from './chat/messages.ts';
import type { Passwords } from './chat/passwords.ts';
import { createPresence, type Presence } from './chat/presence.ts';
import { createSessions } from './chat/sessions.ts';
import { createStorageGuard } from './chat/storage-guard.ts';
import { createTickets } from './chat/tickets.ts';
import type { UsernameRegistry } from './chat/username-registry.ts';
import type { Config } from './config.ts';
import type { Metrics } from './metrics.ts';
import type { Secrets } from './secrets.ts';
import type { Stores } from './stores.ts';

type Parts = {
  config: Config;
  secrets: Secrets;
  metrics: Metrics | undefined;
  stores: Stores;
  names: UsernameRegistry;
  passwords: Passwords;
};

export function createServices(parts: Parts) {
  const { config, metrics, stores, names, passwords } = parts;
  const { now, keys } = stores.redis;
  const storage = createStorageGuard(stores.memory.isFull);
  const presence = createPresence({ store: stores.presence, accounts: stores.accounts });
  return {
    presence,
    accounts: createAccounts({
      store: stores.accounts,
      names,
      presence: stores.presence,
      limits: stores.limits,
      registerLimit: config.REGISTER_LIMIT,
      storage,
      passwords,
      now,
    }),
    sessions: sessionsOf(parts, presence),
    tickets: createTickets({ store: stores.tickets, isRevoked: stores.sessions.isRevoked, now }),
    messages: createMessages({
      logs: stores.logs,
      conversations: stores.conversations,
      accounts: stores.accounts,
      names,
      keys,
      now,
      storage,
      onSent: (kind) => metrics?.messageStored(kind),
    }),
    mailbox: createMailbox({ logs: stores.logs }),
  };
}

function sessionsOf({ config, secrets, stores, names, passwords }: Parts, presence: Presence) {
  const { now } = stores.redis;
  const logins = createLoginAttempts({
    accounts: stores.accounts,
    names,
    limits: stores.limits,
    failureLimit: config.LOGIN_LIMIT,
    successLimit: config.LOGIN_SUCCESS_LIMIT,
    passwords,
    devices: createDeviceTokens({ keys: secrets.derive('device tokens'), now }),
  });
  return createSessions({
    store: stores.sessions,
    accounts: stores.accounts,
    presence,
    logins,
    tokens: createAccessTokens({ secrets: secrets.keys, accessTtlSeconds: config.ACCESS_TTL_SECONDS, now }),
    maxSessions: config.MAX_SESSIONS_PER_ACCOUNT,
    refreshKey: secrets.derive('refresh tokens')[0]!,
    accessTtlSeconds: config.ACCESS_TTL_SECONDS,
    now,
  });
}
