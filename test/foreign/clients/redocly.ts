import { type Connect, result } from '../calls.ts';
import { createClient, OPERATIONS, type Ops } from '../generated/redocly/client.ts';

export const connect: Connect = (serverUrl, token) => {
  const client = createClient<Ops>(OPERATIONS, { serverUrl, errorMode: 'result' });
  if (token) client.auth.bearer(token);
  const toResult = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => result(data, error);
  return {
    register: async (body) => toResult(await client.register({ body })),
    login: async (body) => toResult(await client.login({ body })),
    sendDirect: async (username, body, key) =>
      toResult(await client.sendDirect({ path: { username }, body, headers: { 'Idempotency-Key': key } })),
    sendBroadcast: async (body, key) =>
      toResult(await client.sendBroadcast({ body, headers: { 'Idempotency-Key': key } })),
    listDirect: async (username, after) =>
      toResult(await client.listDirect({ path: { username }, query: { after } })),
    listBroadcasts: async (after) => toResult(await client.listBroadcasts({ query: { after } })),
    listConversations: async () => toResult(await client.listConversations()),
    getMailbox: async () => toResult(await client.getMailbox()),
    ackMailbox: async (body) => toResult(await client.ackMailbox({ body })),
  };
};
