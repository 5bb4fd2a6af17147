import { isAxiosError } from 'axios';
import { type Connect, result } from '../calls.ts';
import { createApiClient, schemas } from '../generated/openapi-zod-client/client.ts';

/** axios throws if the status is not 2xx. zod has validated other responses; the problem is validated here. */
function problemOf(error: unknown) {
  if (!isAxiosError(error) || !error.response) throw error;
  return schemas.Problem.parse(error.response.data);
}

const toResult = <Data>(call: Promise<Data>) =>
  call.then(
    (data) => result<Data, ReturnType<typeof problemOf>>(data, undefined),
    (error: unknown) => result<Data, ReturnType<typeof problemOf>>(undefined, problemOf(error)),
  );

export const connect: Connect = (baseUrl, token) => {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const client = createApiClient(baseUrl, { axiosConfig: { headers } });
  const keyHeader = (key: string) => ({ headers: { 'Idempotency-Key': key } });
  return {
    register: (body) => toResult(client.register(body)),
    login: (body) => toResult(client.login(body)),
    sendDirect: (username, body, key) =>
      toResult(client.sendDirect(body, { params: { username }, ...keyHeader(key) })),
    sendBroadcast: (body, key) => toResult(client.sendBroadcast(body, keyHeader(key))),
    listDirect: (username, after) =>
      toResult(client.listDirect({ params: { username }, queries: { after } })),
    listBroadcasts: (after) => toResult(client.listBroadcasts({ queries: { after } })),
    listConversations: () => toResult(client.listConversations()),
    getMailbox: () => toResult(client.getMailbox()),
    ackMailbox: (body) => toResult(client.ackMailbox(body)),
  };
};
