import type { Client, RequestConfig, ResponseConfig } from '@kubb/plugin-client/clients/fetch';
import { type Connect, result } from '../calls.ts';
import * as sdk from '../generated/kubb/client.ts';
import { problemSchema } from '../generated/kubb/zod.ts';

class FailedResponse extends Error {
  constructor(readonly body: unknown) {
    super('the status is not 2xx');
  }
}

/** Kubb's client returns a problem as data; this custom client throws it. */
const clientOf = (baseUrl: string, token?: string): Client =>
  (async <Data, _Error, Variables>(config: RequestConfig<Variables>): Promise<ResponseConfig<Data>> => {
    const query = new URLSearchParams(
      Object.entries(config.params ?? {}).map(([name, value]) => [name, String(value)]),
    );
    const response = await fetch(`${baseUrl}${config.url}?${query}`, {
      method: config.method ?? 'GET',
      ...(config.data !== undefined && { body: JSON.stringify(config.data) }),
      headers: {
        ...(config.headers as Record<string, string>),
        ...(config.data !== undefined && { 'Content-Type': 'application/json' }),
        ...(token && { Authorization: `Bearer ${token}` }),
      },
    });
    const data = await response.json();
    if (!response.ok) throw new FailedResponse(data);
    return { data, status: response.status, statusText: response.statusText, headers: response.headers };
  }) as Client;

function problemOf(error: unknown) {
  if (!(error instanceof FailedResponse)) throw error;
  return problemSchema.parse(error.body);
}

const toResult = <Data>(call: Promise<{ data: Data }>) =>
  call.then(
    ({ data }) => result<Data, ReturnType<typeof problemOf>>(data, undefined),
    (error: unknown) => result<Data, ReturnType<typeof problemOf>>(undefined, problemOf(error)),
  );

export const connect: Connect = (baseUrl, token) => {
  const client = { client: clientOf(baseUrl, token) };
  const keyHeader = (key: string) => ({ 'Idempotency-Key': key });
  return {
    register: (body) => toResult(sdk.register(body, client)),
    login: (body) => toResult(sdk.login(body, client)),
    sendDirect: (to, body, key) => toResult(sdk.sendDirect(to, body, keyHeader(key), client)),
    sendBroadcast: (body, key) => toResult(sdk.sendBroadcast(body, keyHeader(key), client)),
    listDirect: (username, after) => toResult(sdk.listDirect(username, { after }, client)),
    listBroadcasts: (after) => toResult(sdk.listBroadcasts({ after }, client)),
    listConversations: () => toResult(sdk.listConversations({}, client)),
    getMailbox: () => toResult(sdk.getMailbox({}, client)),
    ackMailbox: (body) => toResult(sdk.ackMailbox(body, client)),
  };
};
