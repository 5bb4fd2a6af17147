/** Attacks on login and registration: password checks are the most expensive work an anonymous client can cause. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Attack, loop, type Seed } from '../attack.ts';
import { createClient } from '../client.ts';
import { PASSWORD, type Stage } from '../stage.ts';

const HONEST = 20;
const SERVED_WITHIN_MS = 5_000;
/** The default cost, so that a password check takes as long as on a default installation. */
const DEFAULT_COST = { BCRYPT_COST: '12' };

async function prepare(stage: Stage): Promise<Seed> {
  const [mallory] = await stage.people(1, 'mallory');
  return { people: [mallory!], honest: await stage.people(HONEST, 'honest') };
}

/** Twenty honest users log in at the same time during the attack. */
const honestLogins = (networks: number) => async (stage: Stage) => {
  await sleep(1_000);
  const answers = await Promise.all(
    Array.from({ length: HONEST }, async (_, index) => {
      const client = createClient(stage.url, `127.0.3.${(index % networks) + 1}`);
      const answer = await client.call('POST', '/v1/login', {
        body: { username: `honest${index}`, password: PASSWORD },
      });
      client.close();
      return answer;
    }),
  );
  const served = answers.filter(({ status, ms }) => status === 200 && ms <= SERVED_WITHIN_MS);
  if (served.length < HONEST) {
    const others = answers
      .filter((each) => !served.includes(each))
      .map(({ status, ms }) => `${status} after ${Math.round(ms)} ms`);
    return [`${served.length} of ${HONEST} honest logins were served in time; others: ${others}`];
  }
  return [];
};

const rightPassword: Attack['run'] = (context) => {
  const { call } = context.client();
  const body = { username: context.seed.people[0]!.username, password: PASSWORD };
  return loop(context, 50, async () => {
    const { status } = await call('POST', '/v1/login', { body });
    if (status !== 200) await sleep(20);
    return status;
  });
};

/** The number of rate-limit keys in Redis. */
async function limitKeys(stage: Stage): Promise<number> {
  const keys = await stage.redis.admin.keys('*limit:*');
  return keys.length;
}

export const logins: Attack[] = [
  {
    name: 'login',
    what: 'the right password on 50 connections; 20 honest logins from one network',
    helperEnv: DEFAULT_COST,
    prepare,
    run: rightPassword,
    during: honestLogins(1),
  },
  {
    name: 'login-networks',
    what: 'the right password on 50 connections; 20 honest logins from 20 networks',
    helperEnv: DEFAULT_COST,
    prepare,
    run: rightPassword,
    during: honestLogins(HONEST),
  },
  {
    name: 'guess',
    what: '50 connections guess passwords of random usernames',
    prepare,
    run: (context) => {
      const { call } = context.client();
      let attempts = 0;
      return loop(context, 50, async () => {
        attempts += 1;
        const body = { username: `nobody${attempts}`, password: 'correct horse' };
        return (await call('POST', '/v1/login', { body })).status;
      });
    },
    after: async (stage) => {
      const keys = await limitKeys(stage);
      return keys > 500 ? [`rejected logins left ${keys} keys in Redis`] : [];
    },
  },
  {
    name: 'lock-out',
    what: 'wrong passwords for one account from 20 networks; its owner logs in from a known device',
    prepare: async (stage) => {
      const [owner] = await stage.people(1, 'owner');
      const client = createClient(stage.url, '127.0.4.1');
      const body = { username: owner!.username, password: PASSWORD };
      const login = await client.call('POST', '/v1/login', { body });
      client.close();
      return { people: [owner!], deviceToken: login.body?.deviceToken };
    },
    run: (context) => {
      const clients = Array.from({ length: 20 }, (_, index) => context.client(index + 1));
      const body = { username: context.seed.people[0]!.username, password: 'wrong password' };
      return loop(context, 20, async (index) => {
        await sleep(50);
        return (await clients[index]!.call('POST', '/v1/login', { body })).status;
      });
    },
    during: async (stage, seed) => {
      await sleep(3_000);
      const client = createClient(stage.url, '127.0.4.1');
      const { username } = seed.people[0]!;
      const body = { username, password: PASSWORD, deviceToken: seed['deviceToken'] };
      const { status, ms } = await client.call('POST', '/v1/login', { body });
      client.close();
      return status === 200 ? [] : [`the owner could not log in: ${status} after ${Math.round(ms)} ms`];
    },
  },
  {
    name: 'register',
    what: '50 connections register accounts from one network',
    prepare,
    run: (context) => {
      const { call } = context.client();
      const tag = Math.random().toString(36).slice(2, 8);
      let count = 0;
      return loop(context, 50, async () => {
        count += 1;
        const body = { username: `n${tag}${count}`, password: PASSWORD };
        return (await call('POST', '/v1/register', { body })).status;
      });
    },
  },
  {
    name: 'refresh',
    what: '32 connections refresh sessions, with valid and forged tokens',
    prepare,
    run: (context) => {
      const { call } = context.client();
      let { refreshToken } = context.seed.people[0]!;
      return loop(context, 32, async (index) => {
        const isValid = index === 0;
        const presented = isValid ? refreshToken : `${refreshToken.slice(0, -5)}AAAAA`;
        const { status, body } = await call('POST', '/v1/refresh', { body: { refreshToken: presented } });
        if (isValid && status === 200) refreshToken = body.refreshToken;
        return status;
      });
    },
  },
];
