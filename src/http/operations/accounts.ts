/** Accounts and sessions. */
import type { Login } from '../../chat/sessions.ts';
import type { components } from '../../contract.d.ts';
import { PASSWORD, type Price, READ, WRITE } from '../admission/price-classes.ts';
import type { Answer, Call, Operations, Services } from './types.ts';

type RegisteredAccount = components['schemas']['RegisteredAccount'];

export const accountPrices = {
  register: {
    ...PASSWORD,
    extraPoints: ({ login }: Call<'register'>['body']) => (login ? PASSWORD.points : 0),
  },
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
    register: async (call) => {
      const { body, networks, signal } = call;
      const account = await accounts.register(body, networks, signal);
      const answer = (registered: RegisteredAccount): Answer<'register'> => ({
        status: 201,
        body: registered,
        headers: { Location: `users/${encodeURIComponent(account.username)}` },
      });
      if (!body.login) return answer(account);
      // The account exists from here on, so a login that fails must not look like a failed registration.
      try {
        const login = await sessions.loginNew(account, body.device, networks);
        return answer({ ...login.account, login });
      } catch (error) {
        return answer({ ...account, loginProblem: call.problemOf(error) });
      }
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
