import { expect, test, vi } from 'vitest';
import { createUsernameRegistry } from '../../../src/chat/username-registry.ts';
import type { AccountStore } from '../../../src/store/accounts.ts';

// In a running server this takes milliseconds, too short for a test over HTTP.
test('rejects registrations until the usernames of all existing accounts are reserved', async () => {
  let completeScan = (_: { usernames: string[]; cursor: undefined }): void => {};
  const reserved: string[] = [];
  const store = {
    skeletonVersion: async () => 'none',
    setSkeletonVersion: async () => {},
    scan: () =>
      new Promise((resolve) => {
        completeScan = resolve;
      }),
    reserveSkeleton: async (username: string) => void reserved.push(username),
    setSkeleton: async () => {},
    findHolder: async () => undefined,
  } as unknown as AccountStore;
  const names = createUsernameRegistry({ store, log: { info: () => {} } });
  await names.start();
  await expect(names.checkFree('alice')).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
  completeScan({ usernames: ['аlice'], cursor: undefined });
  await expect
    .poll(() =>
      names.checkFree('bob').then(
        () => 'free',
        () => 'not yet',
      ),
    )
    .toBe('free');
  expect(reserved).toEqual(['аlice']);
});

// A minute after its reservation, a skeleton without an account may be reserved for another username.
test('a registration that was interrupted after its reservation creates no account', async () => {
  vi.useFakeTimers();
  let created = 0;
  const state = { suspendedMs: 16_000 };
  const store = {
    reserveSkeleton: async () => void vi.advanceTimersByTime(state.suspendedMs),
    create: async () => {
      created += 1;
      return 'created';
    },
  } as unknown as AccountStore;
  const names = createUsernameRegistry({ store, log: { info: () => {} } });
  const account = {
    ...{ username: 'alice', displayName: 'Alice', passwordHash: 'x', isPasswordPrepared: true },
    ...{ createdAt: 'now', lastSeenAt: null },
  };
  await expect(names.register(account)).rejects.toMatchObject({ code: 'unavailable' });
  expect(created).toBe(0);
  state.suspendedMs = 1_000;
  await names.register(account);
  expect(created).toBe(1);
  vi.useRealTimers();
});
