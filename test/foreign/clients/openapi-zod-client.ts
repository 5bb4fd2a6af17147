import { isAxiosError } from 'axios';
import { answer, type Connect } from '../calls.ts';
import { createApiClient, schemas } from '../generated/openapi-zod-client/client.ts';

/** What is not 2xx is thrown by axios. What is answered was parsed by zod; the problem is parsed here. */
function problemOf(error: unknown) {
  if (!isAxiosError(error) || !error.response) throw error;
  return schemas.Problem.parse(error.response.data);
}

const told = <Data>(call: Promise<Data>) =>
  call.then(
    (data) => answer<Data, ReturnType<typeof problemOf>>(data, undefined),
    (error: unknown) => answer<Data, ReturnType<typeof problemOf>>(undefined, problemOf(error)),
  );

export const connect: Connect = (baseUrl, token) => {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const client = createApiClient(baseUrl, { axiosConfig: { headers } });
  const once = (key: string) => ({ headers: { 'Idempotency-Key': key } });
  return {
    register: (body) => told(client.register(body)),
    login: (body) => told(client.login(body)),
    sendDirect: (username, body, key) =>
      told(client.sendDirect(body, { params: { username }, ...once(key) })),
    sendBroadcast: (body, key) => told(client.sendBroadcast(body, once(key))),
    listDirect: (username, after) => told(client.listDirect({ params: { username }, queries: { after } })),
    listBroadcasts: (after) => told(client.listBroadcasts({ queries: { after } })),
    listConversations: () => told(client.listConversations()),
    getMailbox: () => told(client.getMailbox()),
    ackMailbox: (body) => told(client.ackMailbox(body)),
  };
};
