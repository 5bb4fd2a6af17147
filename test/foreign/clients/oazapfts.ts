import { answer, type Connect } from '../calls.ts';
import * as sdk from '../generated/oazapfts/client.ts';

type Said = { status: number; data: unknown };
type Good<Response extends Said> = Extract<Response, { status: 200 | 201 }>['data'];
type Bad<Response extends Said> = Exclude<Response, { status: 200 | 201 }>['data'];

/** Its responses are unions that narrow by status; inside of something generic that takes a cast. */
function told<Response extends Said>({ status, data }: Response) {
  const isGood = status < 300;
  return answer(isGood ? (data as Good<Response>) : undefined, isGood ? undefined : (data as Bad<Response>));
}

export const connect: Connect = (baseUrl, token) => {
  const place = { baseUrl, ...(token && { headers: { Authorization: `Bearer ${token}` } }) };
  return {
    register: async (body) => told(await sdk.register(body, place)),
    login: async (body) => told(await sdk.login(body, place)),
    sendDirect: async (to, body, key) => told(await sdk.sendDirect(to, body, { idempotencyKey: key }, place)),
    sendBroadcast: async (body, key) => told(await sdk.sendBroadcast(body, { idempotencyKey: key }, place)),
    listDirect: async (username, after) => told(await sdk.listDirect(username, { after }, place)),
    listBroadcasts: async (after) => told(await sdk.listBroadcasts({ after }, place)),
    listConversations: async () => told(await sdk.listConversations({}, place)),
    getMailbox: async () => told(await sdk.getMailbox({}, place)),
    ackMailbox: async (body) => told(await sdk.ackMailbox(body, place)),
  };
};
