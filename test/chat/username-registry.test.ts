import { expect, test } from 'vitest';
import { createUsernameRegistry } from '../../src/chat/username-registry.ts';
import type { AccountStore } from '../../src/store/accounts.ts';

// Over HTTP the window is a few milliseconds, which a test cannot hit reliably.
test('rejects registrations until the names of all older accounts have been read', async () => {
  let found = (_: { usernames: string[]; cursor: undefined }): void => {};
  const claimed: string[] = [];
  const store = {
    skeletonVersion: async () => 'none',
    setSkeletonVersion: async () => {},
    scan: () =>
      new Promise((resolve) => {
        found = resolve;
      }),
    claim: async ({ username }: { username: string }) => {
      claimed.push(username);
      return ['claimed'];
    },
    findHolder: async () => undefined,
  } as unknown as AccountStore;
  const names = createUsernameRegistry({ store, log: { info: () => {} } });
  await names.start();
  await expect(names.checkFree('alice')).rejects.toMatchObject({ code: 'unavailable', retryAfterSeconds: 1 });
  found({ usernames: ['аlice'], cursor: undefined });
  await expect
    .poll(() =>
      names.checkFree('bob').then(
        () => 'free',
        () => 'not yet',
      ),
    )
    .toBe('free');
  expect(claimed).toEqual(['аlice']);
});
