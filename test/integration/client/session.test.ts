import { expect, onTestFinished, test, vi } from 'vitest';
import { createParley, type Session, type SessionChange } from '../../../clients/sdk/src/index.ts';
import { sharedNode, startNode } from '../../kit/app.ts';
import { client, createWire, problem, testClock } from '../../kit/wire.ts';

const theNode = sharedNode();
const password = 'correct horse battery';
const REFRESH = 'POST /v1/refresh';
const AN_HOUR_MS = 3_600_000;

/** A storage and a lock shared by several clients, like the tabs of a browser. */
function shared() {
  const box: { session?: Session | undefined } = {};
  let turn: Promise<unknown> = Promise.resolve();
  return {
    box,
    storage: {
      get: () => box.session,
      set: (session: Session) => {
        box.session = session;
      },
      clear: () => {
        box.session = undefined;
      },
    },
    lock: <T>(_: string, task: () => Promise<T>): Promise<T> => {
      const mine = turn.then(task);
      turn = mine.catch(() => {});
      return mine;
    },
  };
}

test('sixteen concurrent calls share one refresh', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  clock.aheadMs = AN_HOUR_MS + 1;
  const answers = await Promise.all(Array.from({ length: 16 }, () => alice.getMe()));
  expect(answers.map(({ data }) => data?.username)).toEqual(Array(16).fill('alice'));
  expect(wire.count(REFRESH)).toBe(1);
});

test('refreshes a token before it expires, not after the server has rejected it', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  await alice.getMe();
  expect(wire.count(REFRESH)).toBe(0);
  clock.aheadMs = AN_HOUR_MS - 60_000;
  await alice.getMe();
  expect([wire.count(REFRESH), wire.count('GET /v1/me')]).toEqual([1, 2]);
});

test('refreshes once and repeats the call when the server rejects the token as expired, whatever the local clock says', async () => {
  const node = await startNode({ ACCESS_TTL_SECONDS: '1' });
  const wire = createWire();
  const loggedInAt = Date.now();
  const alice = await client(node, 'alice', { ...wire, clock: { now: () => loggedInAt } });
  await expect
    .poll(
      async () => {
        const { status } = await fetch(`${node.url}/v1/me`, {
          headers: { Authorization: `Bearer ${alice.session?.accessToken}` },
        });
        return status;
      },
      { timeout: 5_000 },
    )
    .toBe(401);
  const answers = await Promise.all(Array.from({ length: 8 }, () => alice.sendBroadcast('still here')));
  expect(answers.map(({ problem }) => problem)).toEqual(Array(8).fill(undefined));
  expect(wire.count(REFRESH)).toBe(1);
});

// Regression: the server had consumed the token but its response was lost; the next refresh with that token used to end
// the session.
test.each([1, 2, 3])('a refresh survives %i lost responses', async (lost) => {
  const [wire, clock, { box, ...tabs }] = [createWire(), testClock(), shared()];
  const alice = await client(theNode(), 'alice', { ...wire, clock, ...tabs });
  for (const round of [1, 2]) {
    wire.intercept(
      REFRESH,
      async (request, forward) => {
        expect((await forward(request)).status).toBe(200);
        throw new TypeError('the connection broke');
      },
      lost,
    );
    clock.aheadMs += AN_HOUR_MS + 1;
    const answers = [await alice.getMe(), await alice.getMe()];
    expect(answers.at(-1)?.data?.username, `round ${round}`).toBe('alice');
    expect(wire.count(REFRESH)).toBe(round * (lost + 1));
  }
  expect(box.session).toEqual(alice.session);
});

test('the next run repeats an unanswered refresh with the stored nonce when the program ends in between', async () => {
  const [wire, clock, { box, ...tabs }] = [createWire(), testClock(), shared()];
  const alice = await client(theNode(), 'alice', { ...wire, clock, ...tabs });
  expect(box.session).not.toHaveProperty('refreshNonce');
  const requests: unknown[] = [];
  wire.intercept(
    REFRESH,
    async (request, forward) => {
      const stored = box.session?.refreshNonce;
      const { nonce } = JSON.parse(await request.clone().text());
      requests.push({ nonce, stored, status: (await forward(request)).status });
      throw new TypeError('the process ends here');
    },
    9, // three attempts of the call, three of its refresh each
  );
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await alice.getMe()).problem?.code).toBe('unreachable');
  const nonce = box.session?.refreshNonce;
  expect(nonce).toMatch(/^\w{32}$/);
  expect(requests).toEqual(Array(9).fill({ nonce, stored: nonce, status: 200 }));
  const again = createParley({ baseUrl: theNode().url, clock, ...tabs });
  expect((await again.getMe()).data?.username).toBe('alice');
  expect(box.session).toEqual(again.session);
  expect(box.session, 'the nonce is removed with its token').not.toHaveProperty('refreshNonce');
});

test('keeps the nonce in memory when the storage drops it', async () => {
  const [wire, clock, { box, storage, lock }] = [createWire(), testClock(), shared()];
  const set = ({ id, username, refreshToken }: Session) => storage.set({ id, username, refreshToken });
  const alice = await client(theNode(), 'alice', { ...wire, clock, storage: { ...storage, set }, lock });
  wire.intercept(
    REFRESH,
    async (request, forward) => {
      await forward(request);
      throw new TypeError('the connection broke');
    },
    9,
  );
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await alice.getMe()).problem?.code).toBe('unreachable');
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect(box.session).not.toHaveProperty('refreshNonce');
});

test('rejects a stolen refresh token that was already used, and ends the session', async () => {
  const [clock, { box, ...tabs }] = [testClock(), shared()];
  const alice = await client(theNode(), 'alice', { clock, ...tabs });
  const { id, username, refreshToken } = box.session!;
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await alice.getMe()).data?.username).toBe('alice');
  const thief = createParley({ baseUrl: theNode().url, clock });
  await thief.restore({ id, username, refreshToken });
  expect((await thief.getMe()).problem?.code).toBe('bad_refresh_token');
  expect((await alice.getMe()).problem?.code).toBe('session_ended');
});

test('uses the old token until it expires while refreshes fail', async () => {
  const [wire, clock] = [createWire(), testClock()];
  const alice = await client(theNode(), 'alice', { ...wire, clock });
  wire.intercept(REFRESH, () => Promise.reject(new TypeError('no network')), 6);
  clock.aheadMs = AN_HOUR_MS - 60_000;
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect(wire.count(REFRESH)).toBe(3);
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect((await alice.getMe()).data?.username).toBe('alice');
  expect(wire.count(REFRESH)).toBe(7);
});

test('two tabs that share a storage send a refresh token only once', async () => {
  const [wire, clock, { box, ...tabs }] = [createWire(), testClock(), shared()];
  const options = { ...wire, clock, ...tabs };
  const one = await client(theNode(), 'alice', options);
  const two = createParley({ baseUrl: theNode().url, ...options });
  expect((await two.restore())?.username).toBe('alice');
  for (const round of [1, 2]) {
    clock.aheadMs += AN_HOUR_MS + 1;
    const answers = await Promise.all([one.getMe(), two.getMe(), one.getMe(), two.getMe()]);
    expect(answers.map(({ problem }) => problem?.code)).toEqual(Array(4).fill(undefined));
    expect(wire.count(REFRESH)).toBe(round);
  }
  expect(one.session).toEqual(box.session);
  expect(two.session).toEqual(box.session);
});

test('uses the newest stored refresh token when the storage drops the access token', async () => {
  const [wire, clock, { box, storage, lock }] = [createWire(), testClock(), shared()];
  const onlyRefresh = {
    ...storage,
    set: ({ id, username, refreshToken }: Session) => {
      box.session = { id, username, refreshToken };
    },
  };
  const options = { ...wire, clock, storage: onlyRefresh, lock };
  const one = await client(theNode(), 'alice', options);
  expect(box.session).not.toHaveProperty('accessToken');
  const two = createParley({ baseUrl: theNode().url, ...options });
  expect((await two.getMe()).data?.username).toBe('alice');
  clock.aheadMs = AN_HOUR_MS + 1;
  const answers = await Promise.all([one.getMe(), two.getMe()]);
  expect(answers.map(({ problem }) => problem?.code)).toEqual([undefined, undefined]);
  expect(wire.count(REFRESH)).toBe(3);
});

test('uses navigator.locks by default, if available', async () => {
  const [clock, { storage }] = [testClock(), shared()];
  const alice = await client(theNode(), 'alice', { clock, storage });
  const names: string[] = [];
  const request = <T>(name: string, task: () => Promise<T>) => {
    names.push(name);
    return task();
  };
  vi.stubGlobal('navigator', { locks: { request } });
  onTestFinished(() => void vi.unstubAllGlobals());
  clock.aheadMs = AN_HOUR_MS + 1;
  await alice.getMe();
  expect(names).toEqual([`parley ${theNode().url}`]);
});

test('logging out in one tab logs out the other and clears the storage', async () => {
  const [clock, { box, ...tabs }] = [testClock(), shared()];
  const one = await client(theNode(), 'alice', { clock, ...tabs });
  const changes: SessionChange[] = [];
  const two = createParley({
    baseUrl: theNode().url,
    clock,
    ...tabs,
    onSession: (change) => void changes.push(change),
  });
  await two.restore();
  expect((await one.logout()).problem).toBeUndefined();
  expect(box.session).toBeUndefined();
  expect((await two.getMe()).problem?.code).toBe('session_ended');
  expect(changes.at(-1)).toEqual({ kind: 'ended', reason: 'ended' });
  expect((await two.getMe()).problem?.code).toBe('logged_out');
});

test('ends the session of a tab when another tab logs in as another user', async () => {
  const [clock, tabs] = [testClock(), shared()];
  const changes: SessionChange[] = [];
  const one = await client(theNode(), 'alice', {
    clock,
    ...tabs,
    onSession: (change) => void changes.push(change),
  });
  await client(theNode(), 'bob', { clock, ...tabs });
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await one.getMe()).problem?.code).toBe('logged_out');
  expect(changes.at(-1)).toEqual({ kind: 'ended', reason: 'elsewhere' });
  expect(tabs.box.session?.username).toBe('bob');
});

test('logging out in one tab keeps the session that another tab has stored since', async () => {
  const [clock, tabs] = [testClock(), shared()];
  const one = await client(theNode(), 'alice', { clock, ...tabs });
  const two = await client(theNode(), 'bob', { clock, ...tabs });
  await one.logout();
  expect(tabs.box.session).toEqual(two.session);
});

test('ends and clears the session when somebody else has used its refresh token', async () => {
  const [clock, { box, ...tabs }] = [testClock(), shared()];
  const alice = await client(theNode(), 'alice', { clock, ...tabs });
  const thiefsClock = testClock();
  const thief = createParley({ baseUrl: theNode().url, clock: thiefsClock });
  const { id, username, refreshToken } = alice.session!;
  await thief.restore({ id, username, refreshToken });
  for (const _ of ['her token', 'the one after it']) {
    expect((await thief.getMe()).data?.username).toBe('alice');
    thiefsClock.aheadMs += AN_HOUR_MS + 1;
  }
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await alice.getMe()).problem?.code).toBe('bad_refresh_token');
  expect([alice.session, box.session]).toEqual([undefined, undefined]);
});

test('a logout while a refreshed session is being stored leaves nothing stored and is the last change', async () => {
  const [wire, clock, changes] = [createWire(), testClock(), [] as SessionChange['kind'][]];
  const box: { session?: Session | undefined } = {};
  let finishWriting: (() => void) | undefined;
  const storage = {
    get: () => box.session,
    set: async (session: Session) => {
      if (!box.session || session.refreshToken === box.session.refreshToken) {
        box.session = session;
        return;
      }
      await new Promise<void>((resolve) => {
        finishWriting = resolve;
      });
      box.session = session;
    },
    clear: () => {
      box.session = undefined;
    },
  };
  const onSession = ({ kind }: SessionChange) => void changes.push(kind);
  // Without a lock, which Node 24 has by default: with one, the logout waits until the session is stored.
  const lock = <T>(_: string, task: () => Promise<T>) => task();
  const alice = await client(theNode(), 'alice', { ...wire, clock, storage, onSession, lock });
  clock.aheadMs = AN_HOUR_MS + 1;
  const call = alice.getMe();
  await expect.poll(() => finishWriting).toBeDefined();
  await alice.logout();
  finishWriting!();
  await call;
  expect(changes).toEqual(['started', 'ended']);
  expect(box.session).toBeUndefined();
});

test('a session can be exported and restored elsewhere', async () => {
  const alice = await client(theNode(), 'alice');
  const exported = JSON.parse(JSON.stringify(alice.session));
  const wire = createWire();
  const elsewhere = createParley({ baseUrl: theNode().url, ...wire });
  await elsewhere.restore(exported);
  expect((await elsewhere.getMe()).data?.username).toBe('alice');
  expect(wire.requests).toEqual(['GET /v1/me']);
});

test('stores a session passed to restore', async () => {
  const [clock, { box, ...tabs }] = [testClock(), shared()];
  const alice = await client(theNode(), 'alice');
  const restored = createParley({ baseUrl: theNode().url, clock, ...tabs });
  await restored.restore(alice.session);
  expect(box.session).toEqual(alice.session);
  clock.aheadMs = AN_HOUR_MS + 1;
  expect((await restored.getMe()).data?.username).toBe('alice');
});

test('a known device is not locked out by others guessing its password, after a logout and in the next run', async () => {
  const node = await startNode({ LOGIN_LIMIT: '2/300' });
  const tokens = new Map<string, string>();
  const devices = {
    get: (username: string) => tokens.get(username),
    set: (username: string, token: string) => void tokens.set(username, token),
  };
  const alice = await client(node, 'alice', { devices });
  await alice.logout();
  const stranger = createParley({ baseUrl: node.url });
  const guess = () => stranger.login({ username: 'alice', password: 'not her password' });
  expect([(await guess()).problem?.code, (await guess()).problem?.code]).toEqual(
    Array(2).fill('bad_credentials'),
  );
  expect((await stranger.login({ username: 'alice', password })).problem?.code).toBe('too_many_requests');
  expect((await alice.login({ username: ' Alice', password: 'a typo' })).problem?.code).toBe(
    'bad_credentials',
  );
  expect((await alice.login({ username: 'ALICE', password })).data?.account.username).toBe('alice');
  const nextRun = createParley({ baseUrl: node.url, devices });
  expect((await nextRun.login({ username: 'alice', password })).data?.account.username).toBe('alice');
  expect([...tokens.keys()]).toEqual(['alice']);
});

test('keeps device tokens in memory without a storage, and logs in even if the storage fails', async () => {
  const node = await startNode({ LOGIN_LIMIT: '1/300' });
  const broken = {
    get: () => Promise.reject(new Error('full')),
    set: () => {
      throw new Error('full');
    },
  };
  const alice = await client(node, 'alice');
  const careless = await client(node, 'bob', { devices: broken });
  expect(careless.session?.username).toBe('bob');
  await createParley({ baseUrl: node.url }).login({ username: 'alice', password: 'not her password' });
  expect((await alice.login({ username: 'alice', password })).problem).toBeUndefined();
});

test('returns logged_out without sending a request when there is no session', async () => {
  const wire = createWire();
  const nobody = createParley({ baseUrl: theNode().url, ...wire });
  expect((await nobody.getMe()).problem?.code).toBe('logged_out');
  expect(wire.requests).toEqual([]);
});

test('logout ends the local session even if the server is unavailable', async () => {
  const wire = createWire();
  const alice = await client(theNode(), 'alice', wire);
  wire.intercept('POST /v1/logout', () => problem(503, 'unavailable', { 'Retry-After': '1' }));
  expect((await alice.logout()).problem?.code).toBe('unavailable');
  expect(alice.session).toBeUndefined();
});

test('a wrong password returns a problem and keeps the current session', async () => {
  const alice = await client(theNode(), 'alice');
  expect((await alice.login({ username: 'alice', password: 'not my password' })).problem?.code).toBe(
    'bad_credentials',
  );
  expect((await alice.login({ username: 'bob?', password })).problem?.code).toBe('bad_credentials');
  expect(alice.session?.username).toBe('alice');
});
