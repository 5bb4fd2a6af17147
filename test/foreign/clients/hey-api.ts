import { type Connect, result } from '../calls.ts';
import { createClient } from '../generated/hey-api/client/index.ts';
import * as sdk from '../generated/hey-api/index.ts';

export const connect: Connect = (baseUrl, token) => {
  const client = createClient({ baseUrl, auth: ({ scheme }) => (scheme === 'bearer' ? token : undefined) });
  const toResult = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => result(data, error);
  return {
    register: async (body) => toResult(await sdk.register({ client, body })),
    login: async (body) => toResult(await sdk.login({ client, body })),
    sendDirect: async (username, body, key) =>
      toResult(
        await sdk.sendDirect({ client, path: { username }, body, headers: { 'Idempotency-Key': key } }),
      ),
    sendBroadcast: async (body, key) =>
      toResult(await sdk.sendBroadcast({ client, body, headers: { 'Idempotency-Key': key } })),
    listDirect: async (username, after) =>
      toResult(await sdk.listDirect({ client, path: { username }, query: { after } })),
    listBroadcasts: async (after) => toResult(await sdk.listBroadcasts({ client, query: { after } })),
    listConversations: async () => toResult(await sdk.listConversations({ client })),
    getMailbox: async () => toResult(await sdk.getMailbox({ client })),
    ackMailbox: async (body) => toResult(await sdk.ackMailbox({ client, body })),
  };
};
