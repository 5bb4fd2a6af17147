import { expect, test } from 'vitest';
import { createPresenceStore } from '../../../src/store/presence.ts';
import { testStore } from '../../kit/store.ts';

// A node was suspended, declared dead and evicted. It resumed, a stream opened, and it was killed before its next
// heartbeat. Its record stood under an unknown node id, so no node evicted it: a ghost that stayed online indefinitely.
// The evicting node died after the first of sixteen shards. The other node resumed and was still known, so the accounts
// it had announced in that shard stayed offline.
test('a partly evicted node announces every account again', async () => {
  const store = await testStore();
  const { keys } = store;
  const back = createPresenceStore(store, 'n-back');
  await back.sendHeartbeat();
  await back.join('alice');
  await store.run('presence-evict', [keys.onlineOf('alice'), keys.nodes], [keys.channels.presence, 'n-back']);
  expect(await back.total()).toBe(0);
  expect(await back.sendHeartbeat()).toMatchObject({ isKnown: false });
  expect(await back.sendHeartbeat()).toMatchObject({ isKnown: true });
});

test('a node that was declared dead cannot announce an account before its next heartbeat', async () => {
  const store = await testStore();
  const [back, other] = [createPresenceStore(store, 'n-back'), createPresenceStore(store, 'n-other')];
  await back.sendHeartbeat();
  expect(await back.join('alice')).toBe('online');
  expect(await other.evict(['n-back'])).toEqual(['alice']);
  expect(await back.join('bob')).toBe('unknown');
  expect(await other.total()).toBe(0);
  expect(await back.sendHeartbeat()).toMatchObject({ isKnown: false });
  expect(await back.join('bob')).toBe('online');
});
