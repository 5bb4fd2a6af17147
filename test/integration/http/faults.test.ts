/** Unexpected errors: the client gets `internal`, the error is logged, and everything else works. */
import { expect, test } from 'vitest';
import { listen, person, say, startNode, tell } from '../../kit/app.ts';
import { call } from '../../kit/contract.ts';
import { expectProblem } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { testStore } from '../../kit/store.ts';

/** Keys of the wrong type make Redis return an error. */
async function broken() {
  const { log, lines, text } = recorder();
  const node = await startNode({}, { log });
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const { commands, keys } = await testStore(node.prefix);
  await commands.set(keys.everyone.list, 'not a list');
  await commands.set(keys.inbox('bob').hash, 'not a hash');
  return { node, alice, bob, lines, text };
}

test('an unexpected error returns `internal` and is logged as an error with the same request id', async () => {
  const { alice, lines } = await broken();
  for (const answer of [await say(alice, 'hello'), await tell(alice, 'bob', 'hello')]) {
    expectProblem(answer, 'internal');
    expect(answer.text).not.toMatch(/WRONGTYPE|ReplyError|redis|lua/i);
    const logged = lines().filter(
      ({ level, requestId }) => level === 'error' && requestId === answer.body.requestId,
    );
    expect(logged).toHaveLength(1);
    expect(logged[0].err.message).toMatch(/WRONGTYPE/);
    expect(logged[0].err.stack).toMatch(/at /);
  }
});

test('an unexpected error does not affect other requests or other streams', async () => {
  const { node, alice, bob } = await broken();
  const stream = await listen(alice);
  expect((await say(bob, 'hello')).status).toBe(500);
  expect((await call(node, 'getMe', { token: bob.token })).status).toBe(200);
  const note = await tell(alice, 'alice', 'still here');
  expect(note.status).toBe(201);
  expect(stream.isClosed).toBe(false);
  expect((await call(node, 'readiness')).status).toBe(200);
});

test('an unexpected error logs no message text and no password hash', async () => {
  const { node, alice, text } = await broken();
  await tell(alice, 'bob', 'between you and me');
  await say(alice, 'between you and me');
  const { commands, keys } = await testStore(node.prefix);
  const { passwordHash } = await commands.hgetall(keys.account('alice'));
  expect(text()).toContain('WRONGTYPE');
  expect(text()).not.toContain('between you');
  expect(text()).not.toContain(passwordHash);
});
