import { type Connect, result } from '../calls.ts';
import { Api, type HttpResponse } from '../generated/swagger-typescript-api/client.ts';

export const connect: Connect = (baseUrl, token) => {
  const { v1 } = new Api({
    baseUrl,
    baseApiParams: { secure: true },
    securityWorker: () => (token ? { headers: { Authorization: `Bearer ${token}` } } : {}),
  });
  /** The client throws the response itself if the status is not 2xx; the type of the promise does not include it. */
  const toResult = async <Data, Problem>(call: Promise<HttpResponse<Data, Problem>>) => {
    const { ok, data, error } = await call.catch((response: HttpResponse<Data, Problem>) => response);
    return result<Data, Problem>(ok ? data : undefined, ok ? undefined : error);
  };
  /** The generator ignores header parameters. */
  const keyHeader = (key: string) => ({ headers: { 'Idempotency-Key': key } });
  return {
    register: (body) => toResult(v1.register(body)),
    login: (body) => toResult(v1.login(body)),
    sendDirect: (to, body, key) => toResult(v1.sendDirect(to, body, keyHeader(key))),
    sendBroadcast: (body, key) => toResult(v1.sendBroadcast(body, keyHeader(key))),
    listDirect: (username, after) => toResult(v1.listDirect(username, { after })),
    listBroadcasts: (after) => toResult(v1.listBroadcasts({ after })),
    listConversations: () => toResult(v1.listConversations()),
    getMailbox: () => toResult(v1.getMailbox()),
    ackMailbox: (body) => toResult(v1.ackMailbox(body)),
  };
};
