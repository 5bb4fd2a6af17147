import { describe, expect, test } from 'vitest';
import {
  PasswordQueue,
  PLACES,
  PLACES_PER_ACCOUNT,
  PLACES_PER_NETWORK,
  type Place,
} from '../../../src/chat/password-queue.ts';

const address = (key: string) => [{ key, factor: 1 }];
/** The networks of an address in the n-th of 65,536 networks of one IPv6 site. */
const site = (n: number) => [
  { key: `2001:db8:0:${n.toString(16)}::/64`, factor: 1 },
  { key: `2001:db8:0:${(n & 0xff00).toString(16)}::/56`, factor: 4 },
  { key: '2001:db8:0::/48', factor: 16 },
];

/** A queue that runs one check at a time, on a fake clock. */
function oneThread(checkMs = 10) {
  let clockMs = 1_000;
  const queue = new PasswordQueue({ threads: 1, nowMs: () => clockMs });
  const served: string[] = [];
  const running: (() => void)[] = [];
  return {
    queue,
    served,
    /** Adds `name` to `served` when its turn comes. */
    ask(name: string, place: Place, signal?: AbortSignal): Promise<void> {
      const check = place
        .run(() => {
          served.push(name);
          return new Promise<void>((resolve) => running.push(resolve));
        }, signal)
        .finally(() => place.leave());
      check.catch(() => {});
      return check;
    },
    /** Completes this many checks in sequence. */
    async serve(count = 1) {
      for (let n = 0; n < count; n += 1) {
        await settled();
        clockMs += checkMs;
        running.shift()?.();
        await settled();
      }
    },
  };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe('the order in which checks are served', () => {
  test('serves the network with the least use first: twenty users with one attempt each pass an attacker', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attacker = () =>
      ask('attacker', queue.enter({ networks: address('10.0.0.1'), account: undefined }));
    for (let n = 0; n < 10; n += 1) void attacker();
    await serve(10);
    for (let n = 0; n < 10; n += 1) void attacker();
    for (let n = 0; n < 20; n += 1)
      void ask(`honest ${n}`, queue.enter({ networks: address('10.0.0.2'), account: `10.0.0.2 user-${n}` }));
    await serve(30);
    // One check of the attacker was already running. Then the others are served until their use is equal.
    expect(served.slice(10, 21)).toEqual([
      'attacker',
      ...Array.from({ length: 10 }, (_, n) => `honest ${n}`),
    ]);
    expect(served.slice(21, 31).filter((name) => name === 'attacker')).toHaveLength(5);
  });

  test('alternates between networks with equal use', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 6; n += 1) void ask('a', queue.enter({ networks: address('a'), account: undefined }));
    for (let n = 0; n < 3; n += 1) void ask('b', queue.enter({ networks: address('b'), account: undefined }));
    await serve(9);
    expect(served.join('')).toBe('abababaaa');
  });

  test('alternates between the accounts of a network', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attempt = (user: string) =>
      void ask(user, queue.enter({ networks: address('nat'), account: `nat ${user}` }));
    for (let n = 0; n < 4; n += 1) {
      attempt('loud');
      await serve();
    }
    attempt('loud');
    attempt('loud');
    for (const user of ['x', 'y', 'z']) attempt(user);
    await serve(5);
    expect(served.slice(4).join(' ')).toBe('loud x y z loud');
  });

  test('serves a network with many accounts before a network with one busy account', async () => {
    const { queue, served, ask, serve } = oneThread();
    const loud = () =>
      void ask('loud', queue.enter({ networks: address('10.0.0.1'), account: '10.0.0.1 loud' }));
    loud();
    loud();
    for (let n = 0; n < 20; n += 1)
      void ask('honest', queue.enter({ networks: address('10.0.0.2'), account: `10.0.0.2 user-${n}` }));
    for (let n = 0; n < 25; n += 1) {
      await serve();
      if (served.at(-1) === 'loud') loud();
    }
    expect(served.lastIndexOf('honest')).toBeLessThan(26);
    expect(served.slice(0, 25).filter((name) => name === 'loud').length).toBeLessThanOrEqual(6);
  });

  test('limits an IPv6 site to the share of its prefix, however many of its networks it uses', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 200; n += 1)
      void ask('site', queue.enter({ networks: site(n * 7), account: undefined }));
    await serve(100);
    for (let n = 0; n < 5; n += 1)
      void ask('home', queue.enter({ networks: address('192.0.2.1'), account: undefined }));
    await serve(6);
    expect(served.slice(-6).filter((name) => name === 'home')).toHaveLength(5);
  });

  test('serves the accounts of a busy network with the least use first', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attempt = (user: string) =>
      void ask(user, queue.enter({ networks: address('nat'), account: `nat ${user}` }));
    for (let n = 0; n < 40; n += 1) {
      attempt(n % 10 === 0 ? 'loud' : `user-${n}`);
      await serve();
    }
    for (const user of ['first', 'loud', 'x', 'y']) attempt(user);
    await serve(4);
    expect(served.slice(-4)).toEqual(['first', 'x', 'y', 'loud']);
  });

  test('serves an IPv6 site before a single address with more use per share', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 48; n += 1) {
      void ask('site', queue.enter({ networks: site(n * 256), account: undefined }));
      await serve();
    }
    for (let n = 0; n < 8; n += 1) {
      void ask('home', queue.enter({ networks: address('192.0.2.1'), account: undefined }));
      await serve();
    }
    void ask('running', queue.enter({ networks: address('192.0.2.2'), account: undefined }));
    void ask('home', queue.enter({ networks: address('192.0.2.1'), account: undefined })); // 8 checks, 1 share
    void ask('site', queue.enter({ networks: site(99 * 256), account: undefined })); // 48 checks, 16 shares
    await serve(3);
    expect(served.slice(-3)).toEqual(['running', 'site', 'home']);
  });

  test('halves recorded use every 30 s', async () => {
    const { queue, served, ask, serve } = oneThread(1_900);
    const enter = (key: string) => queue.enter({ networks: address(key), account: undefined });
    for (let n = 0; n < 4; n += 1) {
      void ask('a', enter('a'));
      await serve();
    }
    for (const name of ['b', 'b', 'b']) {
      void ask(name, enter(name));
      await serve(17); // 32 s: the clock also advances when nothing is served
    }
    void ask('running', enter('c'));
    await settled();
    void ask('b', enter('b'));
    void ask('a', enter('a')); // 4 checks 97 s ago weigh less than 3 checks 32 to 97 s ago
    await serve(3);
    expect(served.slice(-2)).toEqual(['a', 'b']);
  });
});

describe('places in the queue', () => {
  const problemOf = (enter: () => unknown) => {
    try {
      enter();
    } catch (problem) {
      return problem;
    }
    return undefined;
  };
  const TOO_MANY = { code: 'too_many_requests', retryAfterSeconds: 1 };

  test(`allows ${PLACES_PER_ACCOUNT} places per account, and another after one is released`, () => {
    const { queue } = oneThread();
    const enter = () => queue.enter({ networks: address('a'), account: 'a alice' });
    const [first] = Array.from({ length: PLACES_PER_ACCOUNT }, enter);
    expect(problemOf(enter)).toMatchObject(TOO_MANY);
    expect(problemOf(() => queue.enter({ networks: address('b'), account: 'b alice' }))).toBeUndefined();
    first!.leave();
    first!.leave();
    expect(problemOf(enter)).toBeUndefined();
    expect(problemOf(enter)).toMatchObject(TOO_MANY);
  });

  test(`allows ${PLACES_PER_NETWORK} places per network, multiplied by its factor`, () => {
    const { queue } = oneThread();
    const enter = (networks: { key: string; factor: number }[]) => () =>
      queue.enter({ networks, account: undefined });
    Array.from({ length: PLACES_PER_NETWORK }, enter(address('a')));
    expect(problemOf(enter(address('a')))).toMatchObject(TOO_MANY);
    expect(problemOf(enter(address('b')))).toBeUndefined();
    for (let n = 0; n < 16 * PLACES_PER_NETWORK; n += 1) enter(site(((n * 256) & 0xffff) | (n >> 8)))();
    expect(problemOf(enter(site(0xfff)))).toMatchObject(TOO_MANY);
  });

  test('admits an attempt even if the expected wait is too long', async () => {
    const { queue, ask, serve } = oneThread(700);
    const enter = () => queue.enter({ networks: address('a'), account: undefined });
    void ask('a', enter());
    await serve();
    for (let n = 0; n < 20; n += 1) void ask('a', enter());
    expect(problemOf(enter)).toBeUndefined();
  });

  test(`when all ${PLACES} places are taken, a new attempt displaces the last one, unless it would be last itself`, async () => {
    const { queue, ask, serve } = oneThread();
    const enter = (key: string) => queue.enter({ networks: address(key), account: undefined });
    void ask('loud', enter('loud'));
    await serve();
    void ask('running', enter('running'));
    const loud = [ask('loud', enter('loud')), ask('loud', enter('loud'))];
    for (let n = 3; n < PLACES; n += 1) void ask('one of many', enter(`10.0.${n >> 8}.${n & 255}`));
    expect(
      problemOf(() => enter('loud')),
      'the new attempt would be last',
    ).toMatchObject({ code: 'busy' });
    void ask('quiet', enter('quiet'));
    await expect(loud[1]).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 2 });
    expect(problemOf(() => enter('loud'))).toMatchObject({ code: 'busy' });
  });

  test('skips an aborted attempt and serves the next one', async () => {
    const { queue, served, ask, serve } = oneThread();
    const aborter = new AbortController();
    const aborted = AbortSignal.abort(new Error('aborted before'));
    const enter = () => queue.enter({ networks: address('a'), account: undefined });
    void ask('first', enter());
    const waiting = ask('aborted', enter(), aborter.signal);
    const late = ask('aborted before', enter(), aborted);
    void ask('next', enter());
    aborter.abort(new Error('aborted while waiting'));
    await expect(waiting).rejects.toThrow('aborted while waiting');
    await expect(late).rejects.toThrow('aborted before');
    await serve(2);
    expect(served).toEqual(['first', 'next']);
  });

  test('rejects an attempt with `busy` when its deadline passes', async () => {
    const { queue, served, ask, serve } = oneThread(1_990);
    void ask('slow', queue.enter({ networks: address('a'), account: undefined }));
    await serve();
    void ask('running', queue.enter({ networks: address('b'), account: undefined }));
    await settled();
    const enteredAtMs = performance.now();
    const late = ask('late', queue.enter({ networks: address('c'), account: undefined }));
    await expect(late).rejects.toMatchObject({ code: 'busy' });
    expect(performance.now() - enteredAtMs, 'early enough for a check of average length').toBeLessThan(4_000);
    await serve();
    expect(served).toEqual(['slow', 'running']);
  });
});
