import createClient from 'openapi-fetch';
import { answer, type Connect } from '../calls.ts';
import type { paths } from '../generated/openapi-typescript/contract.ts';

export const connect: Connect = (baseUrl, token) => {
  const client = createClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
  const told = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => answer(data, error);
  return {
    register: async (body) => told(await client.POST('/v1/register', { body })),
    login: async (body) => told(await client.POST('/v1/login', { body })),
    sendDirect: async (username, body, key) =>
      told(
        await client.POST('/v1/dm/{username}', {
          params: { path: { username }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    sendBroadcast: async (body, key) =>
      told(await client.POST('/v1/broadcasts', { params: { header: { 'Idempotency-Key': key } }, body })),
    listDirect: async (username, after) =>
      told(await client.GET('/v1/dm/{username}', { params: { path: { username }, query: { after } } })),
    listBroadcasts: async (after) =>
      told(await client.GET('/v1/broadcasts', { params: { query: { after } } })),
    listConversations: async () => told(await client.GET('/v1/dm')),
    getMailbox: async () => told(await client.GET('/v1/mailbox')),
    ackMailbox: async (body) => told(await client.POST('/v1/mailbox/ack', { body })),
  };
};
