import { expect, test } from 'vitest';
import { listen, person, startNode } from '../../kit/app.ts';
import { cutSubscribers, testStore } from '../../kit/store.ts';

test('after the subscriber reconnects, streams get a resync and fetch the online list again', async () => {
  const node = await startNode();
  const stream = await listen(await person(node, 'alice'));
  await stream.next('presence');
  const store = await testStore(node.prefix);
  await cutSubscribers(store, node.prefix);
  expect((await stream.next('presence')).data).toEqual({ kind: 'presence', total: 1, resync: true });
});
