import type { Client, RequestConfig, ResponseConfig } from '@kubb/plugin-client/clients/fetch';
import { answer, type Connect } from '../calls.ts';
import * as sdk from '../generated/kubb/client.ts';
import { problemSchema } from '../generated/kubb/zod.ts';

class Refused extends Error {
  constructor(readonly body: unknown) {
    super('not 2xx');
  }
}

/** Its own client takes a problem for an answer; one like this it leaves to whoever uses it. */
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
    if (!response.ok) throw new Refused(data);
    return { data, status: response.status, statusText: response.statusText, headers: response.headers };
  }) as Client;

function problemOf(error: unknown) {
  if (!(error instanceof Refused)) throw error;
  return problemSchema.parse(error.body);
}

const told = <Data>(call: Promise<{ data: Data }>) =>
  call.then(
    ({ data }) => answer<Data, ReturnType<typeof problemOf>>(data, undefined),
    (error: unknown) => answer<Data, ReturnType<typeof problemOf>>(undefined, problemOf(error)),
  );

export const connect: Connect = (baseUrl, token) => {
  const client = { client: clientOf(baseUrl, token) };
  const once = (key: string) => ({ 'Idempotency-Key': key });
  return {
    register: (body) => told(sdk.register(body, client)),
    login: (body) => told(sdk.login(body, client)),
    sendDirect: (to, body, key) => told(sdk.sendDirect(to, body, once(key), client)),
    sendBroadcast: (body, key) => told(sdk.sendBroadcast(body, once(key), client)),
    listDirect: (username, after) => told(sdk.listDirect(username, { after }, client)),
    listBroadcasts: (after) => told(sdk.listBroadcasts({ after }, client)),
    listConversations: () => told(sdk.listConversations({}, client)),
    getMailbox: () => told(sdk.getMailbox({}, client)),
    ackMailbox: (body) => told(sdk.ackMailbox(body, client)),
  };
};
