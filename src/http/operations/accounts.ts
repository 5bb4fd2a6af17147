/** Accounts and sessions. */
import type { Login } from '../../chat/sessions.ts';
import { PASSWORD, type Price, READ, WRITE } from '../admission/prices.ts';
import type { Operations, Services } from './types.ts';

export const accountPrices = {
  register: PASSWORD,
  login: PASSWORD,
  refresh: { ...WRITE, answerKiB: 64 },
  logout: WRITE,
  getMe: READ,
  updateMe: WRITE,
  getUser: { ...READ, points: 2 },
} satisfies Record<string, Price>;

export function accountOperations({
  accounts,
  sessions,
}: Services): Pick<Operations, keyof typeof accountPrices> {
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
  };
}

const tokens = (body: Login) => ({ status: 200 as const, body });
