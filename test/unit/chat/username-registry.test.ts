import { expect, test } from 'vitest';
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
    claim: async ({ username }: { username: string }) => {
      reserved.push(username);
      return ['claimed'];
    },
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
