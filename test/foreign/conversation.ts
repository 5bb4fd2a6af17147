/** One conversation of two people, with a client that was generated. Throws at the first thing that is not as it should be. */
import { deepEqual, equal, ok } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { Answer, Connect } from './calls.ts';

const password = 'correct horse battery';

/** `tool` makes the names its own. One name is in another script, since it travels in a path. */
export async function converse(connect: Connect, baseUrl: string, tool: string): Promise<void> {
  const [alice, bob] = [`alice-${tool}`, `张三-${tool}`];
  const stranger = connect(baseUrl);
  const good = async <Data>(call: Promise<Answer<Data>>): Promise<Data> => {
    const { data, problem } = await call;
    ok(data, `a problem: ${JSON.stringify(problem)}`);
    equal(problem, undefined);
    return data;
  };
  const refused = async (call: Promise<Answer<unknown>>, status: number, code: string) => {
    const { data, problem } = await call;
    equal(data, undefined);
    deepEqual([problem?.status, problem?.code], [status, code]);
    ok(problem?.requestId);
  };

  for (const username of [alice, bob]) {
    equal((await good(stranger.register({ username, password }))).username, username);
  }
  await refused(stranger.register({ username: alice, password }), 409, 'username_taken');
  await refused(stranger.login({ username: alice, password: 'wrong horse battery' }), 401, 'bad_credentials');
  await refused(stranger.getMailbox(), 401, 'unauthenticated');
  const logIn = async (username: string) => {
    const { accessToken, tokenType } = await good(stranger.login({ username, password }));
    equal(tokenType, 'Bearer');
    return connect(baseUrl, accessToken);
  };
  const [hers, his] = [await logIn(alice), await logIn(bob)];

  const key = randomUUID();
  const lunch = await good(hers.sendDirect(bob, { text: 'Lunch at noon? 🥟' }, key));
  deepEqual([lunch.kind, lunch.from, lunch.to, lunch.text], ['dm', alice, bob, 'Lunch at noon? 🥟']);
  deepEqual(await good(hers.sendDirect(bob, { text: 'Lunch at noon? 🥟' }, key)), lunch);
  await refused(hers.sendDirect(bob, { text: 'Dinner?' }, key), 422, 'idempotency_conflict');
  // White space that no pattern shows: clients that parse what they send leave it to the server.
  await refused(hers.sendDirect(bob, { text: '\u3000' }, randomUUID()), 400, 'validation_failed');
  await refused(hers.sendDirect(`nobody-${tool}`, { text: 'Hello?' }, randomUUID()), 404, 'unknown_user');
  const gladly = await good(his.sendDirect(alice, { text: 'Gladly.' }, randomUUID()));
  const news = await good(hers.sendBroadcast({ text: 'We are out for lunch.' }, randomUUID()));
  equal(news.kind, 'broadcast');

  deepEqual(await good(his.listDirect(alice, 0)), { messages: [lunch, gladly], hasMore: false });
  deepEqual((await good(his.listDirect(alice, 1))).messages, [gladly]);
  deepEqual((await good(his.listBroadcasts(news.seq - 1))).messages, [news]);
  deepEqual((await good(his.listConversations())).conversations, [{ with: alice, last: gladly, unread: 1 }]);
  const mailbox = await good(his.getMailbox());
  deepEqual(mailbox, { messages: [lunch], unread: 1, gap: null, hasMore: false });
  deepEqual(await good(his.ackMailbox({ upTo: lunch.id })), { unread: 0 });
  deepEqual((await good(his.getMailbox())).messages, []);
}
