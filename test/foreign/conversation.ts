/** A conversation of two users with a generated client. Throws at the first mismatch. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Connect, Result } from './calls.ts';

const password = 'correct horse battery';

/** `tool` makes the usernames unique. One is in another script, because usernames are part of paths. */
export async function converse(connect: Connect, baseUrl: string, tool: string): Promise<void> {
  const [alice, bob] = [`alice-${tool}`, `张三-${tool}`];
  const anonymous = connect(baseUrl);
  const succeed = async <Data>(call: Promise<Result<Data>>): Promise<Data> => {
    const { data, problem } = await call;
    ok(data, `unexpected problem: ${JSON.stringify(problem)}`);
    equal(problem, undefined);
    return data;
  };
  const fail = async (call: Promise<Result<unknown>>, status: number, code: string) => {
    const { data, problem } = await call;
    equal(data, undefined);
    deepEqual([problem?.status, problem?.code], [status, code]);
    ok(problem?.requestId);
  };

  for (const username of [alice, bob]) {
    equal((await succeed(anonymous.register({ username, password }))).username, username);
  }
  await fail(anonymous.register({ username: alice, password }), 409, 'username_taken');
  await fail(anonymous.login({ username: alice, password: 'wrong horse battery' }), 401, 'bad_credentials');
  await fail(anonymous.getMailbox(), 401, 'unauthenticated');
  const logIn = async (username: string) => {
    const { accessToken, tokenType } = await succeed(anonymous.login({ username, password }));
    equal(tokenType, 'Bearer');
    return connect(baseUrl, accessToken);
  };
  const [aliceCalls, bobCalls] = [await logIn(alice), await logIn(bob)];

  const key = randomUUID();
  const lunch = await succeed(aliceCalls.sendDirect(bob, { text: 'Lunch at noon? 🥟' }, key));
  deepEqual([lunch.kind, lunch.from, lunch.to, lunch.text], ['dm', alice, bob, 'Lunch at noon? 🥟']);
  deepEqual(await succeed(aliceCalls.sendDirect(bob, { text: 'Lunch at noon? 🥟' }, key)), lunch);
  await fail(aliceCalls.sendDirect(bob, { text: 'Dinner?' }, key), 422, 'idempotency_conflict');
  // The pattern does not exclude this white space, so clients that validate requests leave it to the server.
  await fail(aliceCalls.sendDirect(bob, { text: '\u3000' }, randomUUID()), 400, 'validation_failed');
  await fail(aliceCalls.sendDirect(`nobody-${tool}`, { text: 'Hello?' }, randomUUID()), 404, 'unknown_user');
  const gladly = await succeed(bobCalls.sendDirect(alice, { text: 'Gladly.' }, randomUUID()));
  const news = await succeed(aliceCalls.sendBroadcast({ text: 'We are out for lunch.' }, randomUUID()));
  equal(news.kind, 'broadcast');

  deepEqual(await succeed(bobCalls.listDirect(alice, 0)), { messages: [lunch, gladly], hasMore: false });
  deepEqual((await succeed(bobCalls.listDirect(alice, 1))).messages, [gladly]);
  deepEqual((await succeed(bobCalls.listBroadcasts(news.seq - 1))).messages, [news]);
  deepEqual((await succeed(bobCalls.listConversations())).conversations, [
    { with: alice, last: gladly, unread: 1 },
  ]);
  const mailbox = await succeed(bobCalls.getMailbox());
  deepEqual(mailbox, { messages: [lunch], unread: 1, gap: null, hasMore: false });
  deepEqual(await succeed(bobCalls.ackMailbox({ upTo: lunch.id })), { unread: 0 });
  deepEqual((await succeed(bobCalls.getMailbox())).messages, []);
}
