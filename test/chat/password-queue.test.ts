import { describe, expect, test } from 'vitest';
import {
  createPasswordQueue,
  PLACES,
  PLACES_PER_ACCOUNT,
  PLACES_PER_NETWORK,
  type Place,
} from '../../src/chat/password-queue.ts';

const ipv4 = (key: string) => [{ key, factor: 1 }];
const site = (n: number) => [
  { key: `2001:db8:0:${n.toString(16)}::/64`, factor: 1 },
  { key: `2001:db8:0:${(n & 0xff00).toString(16)}::/56`, factor: 4 },
  { key: '2001:db8:0::/48', factor: 16 },
];

/** Runs one check at a time, each taking 10 ms on a fake clock. */
function oneThread(checkMs = 10) {
  let clockMs = 1_000;
  const queue = createPasswordQueue({ threads: 1, nowMs: () => clockMs });
  const served: string[] = [];
  const running: (() => void)[] = [];
  return {
    queue,
    served,
    /** Waits for a check; `name` is in `served` once it has begun. */
    ask(name: string, place: Place, signal?: AbortSignal): Promise<void> {
      const asked = place
        .run(() => {
          served.push(name);
          return new Promise<void>((resolve) => running.push(resolve));
        }, signal)
        .finally(() => place.leave());
      asked.catch(() => {});
      return asked;
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

describe('the order of checks', () => {
  test('serves the least active network first: twenty single attempts pass a persistent attacker', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attacker = () => ask('attacker', queue.enter({ networks: ipv4('10.0.0.1'), who: undefined }));
    for (let n = 0; n < 10; n += 1) void attacker();
    await serve(10);
    for (let n = 0; n < 10; n += 1) void attacker();
    for (let n = 0; n < 20; n += 1)
      void ask(`honest ${n}`, queue.enter({ networks: ipv4('10.0.0.2'), who: `10.0.0.2 user-${n}` }));
    await serve(30);
    // The attacker's next one was running already. The others come until they have used as much.
    expect(served.slice(10, 21)).toEqual([
      'attacker',
      ...Array.from({ length: 10 }, (_, n) => `honest ${n}`),
    ]);
    expect(served.slice(21, 31).filter((name) => name === 'attacker')).toHaveLength(5);
  });

  test('alternates between networks with equal use', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 6; n += 1) void ask('a', queue.enter({ networks: ipv4('a'), who: undefined }));
    for (let n = 0; n < 3; n += 1) void ask('b', queue.enter({ networks: ipv4('b'), who: undefined }));
    await serve(9);
    expect(served.join('')).toBe('abababaaa');
  });

  test('alternates between the accounts of a network', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attempt = (who: string) => void ask(who, queue.enter({ networks: ipv4('nat'), who: `nat ${who}` }));
    for (let n = 0; n < 4; n += 1) {
      attempt('loud');
      await serve();
    }
    attempt('loud');
    attempt('loud');
    for (const who of ['x', 'y', 'z']) attempt(who);
    await serve(5);
    expect(served.slice(4).join(' ')).toBe('loud x y z loud');
  });

  test('serves a network with many accounts before a network with one busy account', async () => {
    const { queue, served, ask, serve } = oneThread();
    const loud = () => void ask('loud', queue.enter({ networks: ipv4('10.0.0.1'), who: '10.0.0.1 loud' }));
    loud();
    loud();
    for (let n = 0; n < 20; n += 1)
      void ask('honest', queue.enter({ networks: ipv4('10.0.0.2'), who: `10.0.0.2 user-${n}` }));
    for (let n = 0; n < 25; n += 1) {
      await serve();
      if (served.at(-1) === 'loud') loud();
    }
    expect(served.lastIndexOf('honest')).toBeLessThan(26);
    expect(served.slice(0, 25).filter((name) => name === 'loud').length).toBeLessThanOrEqual(6);
  });

  test('weights an IPv6 site by its factor, however many networks it is split into', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 200; n += 1) void ask('site', queue.enter({ networks: site(n * 7), who: undefined }));
    await serve(100);
    for (let n = 0; n < 5; n += 1)
      void ask('home', queue.enter({ networks: ipv4('192.0.2.1'), who: undefined }));
    await serve(6);
    expect(served.slice(-6).filter((name) => name === 'home')).toHaveLength(5);
  });

  test('serves the least active accounts of a busy network first', async () => {
    const { queue, served, ask, serve } = oneThread();
    const attempt = (who: string) => void ask(who, queue.enter({ networks: ipv4('nat'), who: `nat ${who}` }));
    for (let n = 0; n < 40; n += 1) {
      attempt(n % 10 === 0 ? 'loud' : `user-${n}`);
      await serve();
    }
    for (const who of ['first', 'loud', 'x', 'y']) attempt(who);
    await serve(4);
    expect(served.slice(-4)).toEqual(['first', 'x', 'y', 'loud']);
  });

  test('serves an IPv6 site before an address that has used more than one of its networks', async () => {
    const { queue, served, ask, serve } = oneThread();
    for (let n = 0; n < 48; n += 1) {
      void ask('site', queue.enter({ networks: site(n * 256), who: undefined }));
      await serve();
    }
    for (let n = 0; n < 8; n += 1) {
      void ask('home', queue.enter({ networks: ipv4('192.0.2.1'), who: undefined }));
      await serve();
    }
    void ask('running', queue.enter({ networks: ipv4('192.0.2.2'), who: undefined }));
    void ask('home', queue.enter({ networks: ipv4('192.0.2.1'), who: undefined })); // 8 of one
    void ask('site', queue.enter({ networks: site(99 * 256), who: undefined })); // 48 of sixteen
    await serve(3);
    expect(served.slice(-3)).toEqual(['running', 'site', 'home']);
  });

  test('halves recorded use every 30 s', async () => {
    const { queue, served, ask, serve } = oneThread(1_900);
    const enter = (key: string) => queue.enter({ networks: ipv4(key), who: undefined });
    for (let n = 0; n < 4; n += 1) {
      void ask('a', enter('a'));
      await serve();
    }
    for (const name of ['b', 'b', 'b']) {
      void ask(name, enter(name));
      await serve(17); // 32 s: an empty turn takes time too
    }
    void ask('running', enter('c'));
    await settled();
    void ask('b', enter('b'));
    void ask('a', enter('a')); // 4 of 97 s ago are less than 3 of 32 to 97 s ago
    await serve(3);
    expect(served.slice(-2)).toEqual(['a', 'b']);
  });
});

describe('places in the queue', () => {
  const refusal = (enter: () => unknown) => {
    try {
      enter();
    } catch (problem) {
      return problem;
    }
    return 'entered';
  };
  const waits = { code: 'too_many_requests', retryAfterSeconds: 1 };

  test(`allows ${PLACES_PER_ACCOUNT} places per account, and another after one is released`, () => {
    const { queue } = oneThread();
    const enter = () => queue.enter({ networks: ipv4('a'), who: 'a alice' });
    const [first] = Array.from({ length: PLACES_PER_ACCOUNT }, enter);
    expect(refusal(enter)).toMatchObject(waits);
    expect(refusal(() => queue.enter({ networks: ipv4('b'), who: 'b alice' }))).toBe('entered');
    first!.leave();
    first!.leave();
    expect(refusal(enter)).toBe('entered');
    expect(refusal(enter)).toMatchObject(waits);
  });

  test(`allows ${PLACES_PER_NETWORK} places per network, multiplied by its factor`, () => {
    const { queue } = oneThread();
    const enter = (networks: { key: string; factor: number }[]) => () =>
      queue.enter({ networks, who: undefined });
    Array.from({ length: PLACES_PER_NETWORK }, enter(ipv4('a')));
    expect(refusal(enter(ipv4('a')))).toMatchObject(waits);
    expect(refusal(enter(ipv4('b')))).toBe('entered');
    for (let n = 0; n < 16 * PLACES_PER_NETWORK; n += 1) enter(site(((n * 256) & 0xffff) | (n >> 8)))();
    expect(refusal(enter(site(0xfff)))).toMatchObject(waits);
  });

  test('admits an attempt regardless of the expected wait', async () => {
    const { queue, ask, serve } = oneThread(700);
    const enter = () => queue.enter({ networks: ipv4('a'), who: undefined });
    void ask('a', enter());
    await serve();
    for (let n = 0; n < 20; n += 1) void ask('a', enter());
    expect(refusal(enter)).toBe('entered');
  });

  test(`evicts the lowest-ranked attempt for a higher-ranked one when all ${PLACES} places are taken`, async () => {
    const { queue, ask, serve } = oneThread();
    const enter = (key: string) => queue.enter({ networks: ipv4(key), who: undefined });
    void ask('loud', enter('loud'));
    await serve();
    void ask('running', enter('running'));
    const loud = [ask('loud', enter('loud')), ask('loud', enter('loud'))];
    for (let n = 3; n < PLACES; n += 1) void ask('one of many', enter(`10.0.${n >> 8}.${n & 255}`));
    expect(
      refusal(() => enter('loud')),
      'it would be the last',
    ).toMatchObject({ code: 'busy' });
    void ask('quiet', enter('quiet'));
    await expect(loud[1]).rejects.toMatchObject({ code: 'busy', retryAfterSeconds: 2 });
    expect(refusal(() => enter('loud'))).toMatchObject({ code: 'busy' });
  });

  test('skips an aborted attempt and serves the next one', async () => {
    const { queue, served, ask, serve } = oneThread();
    const [gone, before] = [new AbortController(), AbortSignal.abort(new Error('gone before'))];
    const enter = () => queue.enter({ networks: ipv4('a'), who: undefined });
    void ask('first', enter());
    const waiting = ask('gone', enter(), gone.signal);
    const late = ask('gone before', enter(), before);
    void ask('next', enter());
    gone.abort(new Error('gone'));
    await expect(waiting).rejects.toThrow('gone');
    await expect(late).rejects.toThrow('gone before');
    await serve(2);
    expect(served).toEqual(['first', 'next']);
  });

  test('rejects an attempt with busy when its deadline passes', async () => {
    const { queue, served, ask, serve } = oneThread(1_990);
    void ask('slow', queue.enter({ networks: ipv4('a'), who: undefined }));
    await serve();
    void ask('running', queue.enter({ networks: ipv4('b'), who: undefined }));
    await settled();
    const late = ask('late', queue.enter({ networks: ipv4('c'), who: undefined }));
    await expect(late).rejects.toMatchObject({ code: 'busy' });
    await serve();
    expect(served).toEqual(['slow', 'running']);
  });
});
