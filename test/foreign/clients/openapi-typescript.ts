import createClient from 'openapi-fetch';
import { type Connect, result } from '../calls.ts';
import type { paths } from '../generated/openapi-typescript/contract.ts';

export const connect: Connect = (baseUrl, token) => {
  const client = createClient<paths>({ baseUrl, headers: token ? { Authorization: `Bearer ${token}` } : {} });
  const toResult = <Data, Problem>({ data, error }: { data?: Data; error?: Problem }) => result(data, error);
  return {
    register: async (body) => toResult(await client.POST('/v1/register', { body })),
    login: async (body) => toResult(await client.POST('/v1/login', { body })),
    sendDirect: async (username, body, key) =>
      toResult(
        await client.POST('/v1/dm/{username}', {
          params: { path: { username }, header: { 'Idempotency-Key': key } },
          body,
        }),
      ),
    sendBroadcast: async (body, key) =>
      toResult(await client.POST('/v1/broadcasts', { params: { header: { 'Idempotency-Key': key } }, body })),
    listDirect: async (username, after) =>
      toResult(await client.GET('/v1/dm/{username}', { params: { path: { username }, query: { after } } })),
    listBroadcasts: async (after) =>
      toResult(await client.GET('/v1/broadcasts', { params: { query: { after } } })),
    listConversations: async () => toResult(await client.GET('/v1/dm')),
    getMailbox: async () => toResult(await client.GET('/v1/mailbox')),
    ackMailbox: async (body) => toResult(await client.POST('/v1/mailbox/ack', { body })),
  };
};
