import { type Connect, result } from '../calls.ts';
import * as sdk from '../generated/oazapfts/client.ts';

type AnyResponse = { status: number; data: unknown };
type Success<Response extends AnyResponse> = Extract<Response, { status: 200 | 201 }>['data'];
type Failure<Response extends AnyResponse> = Exclude<Response, { status: 200 | 201 }>['data'];

/** Responses are unions that narrow by status; in a generic function this needs a cast. */
function toResult<Response extends AnyResponse>({ status, data }: Response) {
  const isSuccess = status < 300;
  return result(
    isSuccess ? (data as Success<Response>) : undefined,
    isSuccess ? undefined : (data as Failure<Response>),
  );
}

export const connect: Connect = (baseUrl, token) => {
  const options = { baseUrl, ...(token && { headers: { Authorization: `Bearer ${token}` } }) };
  return {
    register: async (body) => toResult(await sdk.register(body, options)),
    login: async (body) => toResult(await sdk.login(body, options)),
    sendDirect: async (to, body, key) =>
      toResult(await sdk.sendDirect(to, body, { idempotencyKey: key }, options)),
    sendBroadcast: async (body, key) =>
      toResult(await sdk.sendBroadcast(body, { idempotencyKey: key }, options)),
    listDirect: async (username, after) => toResult(await sdk.listDirect(username, { after }, options)),
    listBroadcasts: async (after) => toResult(await sdk.listBroadcasts({ after }, options)),
    listConversations: async () => toResult(await sdk.listConversations({}, options)),
    getMailbox: async () => toResult(await sdk.getMailbox({}, options)),
    ackMailbox: async (body) => toResult(await sdk.ackMailbox(body, options)),
  };
};
