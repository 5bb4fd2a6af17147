import { expect, test } from 'vitest';
import { createParley } from '../../../clients/sdk/src/index.ts';
import { startNode, until } from '../../kit/app.ts';

const password = 'correct horse battery';

test('registers, logs in, sends, receives, and returns problems as values', async () => {
  const { url } = await startNode();
  const [alice, bob] = [createParley({ baseUrl: url }), createParley({ baseUrl: url })];
  expect((await alice.register({ username: 'alice', password })).data?.username).toBe('alice');
  await bob.register({ username: 'bob', password });
  expect((await alice.login({ username: 'alice', password: 'wrong one' })).problem?.code).toBe(
    'bad_credentials',
  );
  expect((await alice.login({ username: 'alice', password })).data?.account.displayName).toBe('alice');
  await bob.login({ username: 'bob', password });
  await alice.sendDirect('bob', 'Lunch?');
  const heard = [];
  for await (const event of bob.events()) {
    heard.push(event.kind === 'dm' ? event.text : event.kind);
    if (event.kind === 'ready') await alice.sendBroadcast('Good morning!');
    if (event.kind === 'broadcast') break;
  }
  expect(heard).toContain('Lunch?');
  await until('the message is acknowledged', async () => (await bob.getMailbox()).data?.unread === 0);
  await bob.logout();
  expect((await bob.getMe()).problem?.code).toBe('logged_out');
});
