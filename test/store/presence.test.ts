import { expect, test } from 'vitest';
import { createPresenceStore } from '../../src/store/presence.ts';
import { testStore } from '../support/store.ts';

// A node was stopped, declared dead and swept; it went on, a stream came, and before its next heartbeat it was killed.
// What it had said stood under a name that nobody knew, so nobody swept it: a ghost for ever.
// The node that swept died after the first of sixteen shards. The other went on, was known as ever, and whom it had
// announced in that shard was offline for good.
test('a node that was swept in part announces everybody again', async () => {
  const store = await testStore();
  const { keys } = store;
  const back = createPresenceStore(store, 'n-back');
  await back.beat();
  await back.arrive('alice');
  await store.run('presence-evict', [keys.onlineOf('alice'), keys.nodes], [keys.channels.presence, 'n-back']);
  expect(await back.total()).toBe(0);
  expect(await back.beat()).toMatchObject({ known: false });
  expect(await back.beat()).toMatchObject({ known: true });
});

test('a node that was declared dead can announce nobody before its next heartbeat', async () => {
  const store = await testStore();
  const [back, other] = [createPresenceStore(store, 'n-back'), createPresenceStore(store, 'n-other')];
  await back.beat();
  expect(await back.arrive('alice')).toBe('came');
  expect(await other.evict(['n-back'])).toEqual(['alice']);
  expect(await back.arrive('bob')).toBe('unknown');
  expect(await other.total()).toBe(0);
  expect(await back.beat()).toMatchObject({ known: false });
  expect(await back.arrive('bob')).toBe('came');
});
