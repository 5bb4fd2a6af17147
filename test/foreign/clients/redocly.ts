import { answer, type Connect } from '../calls.ts';
import { createClient, OPERATIONS, type Ops } from '../generated/redocly/client.ts';

export const connect: Connect = (serverUrl, token) => {
  const client = createClient<Ops>(OPERATIONS, { serverUrl, errorMode: 'result' });
  if (token) client.auth.bearer(token);
  const told = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => answer(data, error);
  return {
    register: async (body) => told(await client.register({ body })),
    login: async (body) => told(await client.login({ body })),
    sendDirect: async (username, body, key) =>
      told(await client.sendDirect({ path: { username }, body, headers: { 'Idempotency-Key': key } })),
    sendBroadcast: async (body, key) =>
      told(await client.sendBroadcast({ body, headers: { 'Idempotency-Key': key } })),
    listDirect: async (username, after) =>
      told(await client.listDirect({ path: { username }, query: { after } })),
    listBroadcasts: async (after) => told(await client.listBroadcasts({ query: { after } })),
    listConversations: async () => told(await client.listConversations()),
    getMailbox: async () => told(await client.getMailbox()),
    ackMailbox: async (body) => told(await client.ackMailbox({ body })),
  };
};
