import { answer, type Connect } from '../calls.ts';
import { createClient } from '../generated/hey-api/client/index.ts';
import * as sdk from '../generated/hey-api/index.ts';

export const connect: Connect = (baseUrl, token) => {
  const client = createClient({ baseUrl, auth: ({ scheme }) => (scheme === 'bearer' ? token : undefined) });
  const told = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => answer(data, error);
  return {
    register: async (body) => told(await sdk.register({ client, body })),
    login: async (body) => told(await sdk.login({ client, body })),
    sendDirect: async (username, body, key) =>
      told(await sdk.sendDirect({ client, path: { username }, body, headers: { 'Idempotency-Key': key } })),
    sendBroadcast: async (body, key) =>
      told(await sdk.sendBroadcast({ client, body, headers: { 'Idempotency-Key': key } })),
    listDirect: async (username, after) =>
      told(await sdk.listDirect({ client, path: { username }, query: { after } })),
    listBroadcasts: async (after) => told(await sdk.listBroadcasts({ client, query: { after } })),
    listConversations: async () => told(await sdk.listConversations({ client })),
    getMailbox: async () => told(await sdk.getMailbox({ client })),
    ackMailbox: async (body) => told(await sdk.ackMailbox({ client, body })),
  };
};
