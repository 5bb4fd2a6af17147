import { expect, test } from 'vitest';
import { listen, person, startNode, tell } from '../../kit/app.ts';

test('a stream resumes without a gap after a message from bob2b', async () => {
  const node = await startNode();
  const alice = await person(node, 'alice');
  const bob = await person(node, 'bob2b');
  const first = await listen(alice);
  await tell(bob, 'alice', 'one');
  await first.next('dm');
  const id = first.events.at(-1)!.id!;
  const second = await listen(alice, { lastEventId: id });
  await tell(bob, 'alice', 'two');
  await second.next('dm');
  expect(second.events.map(({ kind }) => kind)).not.toContain('gap');
});
