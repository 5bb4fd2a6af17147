import { answer, type Connect } from '../calls.ts';
import { Api, type HttpResponse } from '../generated/swagger-typescript-api/client.ts';

export const connect: Connect = (baseUrl, token) => {
  const { v1 } = new Api({
    baseUrl,
    baseApiParams: { secure: true },
    securityWorker: () => (token ? { headers: { Authorization: `Bearer ${token}` } } : {}),
  });
  /** It throws what is not 2xx, as the response that it also answers; the promise's type does not tell. */
  const told = async <Data, Problem>(call: Promise<HttpResponse<Data, Problem>>) => {
    const { ok, data, error } = await call.catch((response: HttpResponse<Data, Problem>) => response);
    return answer<Data, Problem>(ok ? data : undefined, ok ? undefined : error);
  };
  /** It leaves out the parameters in headers. */
  const once = (key: string) => ({ headers: { 'Idempotency-Key': key } });
  return {
    register: (body) => told(v1.register(body)),
    login: (body) => told(v1.login(body)),
    sendDirect: (to, body, key) => told(v1.sendDirect(to, body, once(key))),
    sendBroadcast: (body, key) => told(v1.sendBroadcast(body, once(key))),
    listDirect: (username, after) => told(v1.listDirect(username, { after })),
    listBroadcasts: (after) => told(v1.listBroadcasts({ after })),
    listConversations: () => told(v1.listConversations()),
    getMailbox: () => told(v1.getMailbox()),
    ackMailbox: (body) => told(v1.ackMailbox(body)),
  };
};
