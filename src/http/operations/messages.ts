/** Broadcasts, direct messages and conversations. */
import type { Sent } from '../../chat/message-sender.ts';
import type { Message } from '../../chat/model.ts';
import { invalid } from '../../chat/problems.ts';
import { type Price, READ_PAGE, WRITE } from '../admission/price-classes.ts';
import type { Operations, Services } from './types.ts';

export const messagePrices = {
  sendBroadcast: { ...WRITE, answerKiB: 32, isToAll: true },
  listBroadcasts: READ_PAGE,
  sendDirect: { ...WRITE, answerKiB: 32 },
  listDirect: READ_PAGE,
  listConversations: { ...READ_PAGE, points: 5 },
} satisfies Record<string, Price>;

export function messageOperations({ messages }: Services): Pick<Operations, keyof typeof messagePrices> {
  return {
    sendBroadcast: async ({ caller, body, header }) =>
      sent(await messages.broadcast(caller, body.text, idempotencyKey(header['Idempotency-Key']))),
    listBroadcasts: async ({ caller, query, signal }) => ({
      status: 200,
      body: await messages.broadcasts(caller, { ...query, limit: query.limit ?? 50 }, signal),
    }),
    sendDirect: async ({ caller, path, body, header }) =>
      sent(
        await messages.direct(caller, path.username, body.text, idempotencyKey(header['Idempotency-Key'])),
      ),
    listDirect: async ({ caller, path, query, signal }) => {
      const page = { ...query, limit: query.limit ?? 50 };
      return { status: 200, body: await messages.conversation(caller, path.username, page, signal) };
    },
    listConversations: async ({ caller, query, signal }) => ({
      status: 200,
      body: await messages.conversations(caller, query.limit ?? 50, query.cursor, signal),
    }),
  };
}

function sent<M extends Message>({ message, isReplay }: Sent<M>) {
  return {
    status: 201 as const,
    json: message,
    ...(isReplay && { headers: { 'Idempotent-Replayed': 'true' } }),
  };
}

/** Bare, or quoted as a structured field (RFC 8941): the quotes are not part of the key. */
function idempotencyKey(header: string | undefined): string | undefined {
  if (header === undefined) return undefined;
  const key = /^"(.*)"$/.exec(header)?.[1] ?? header;
  if (key.length < 1 || key.length > 255)
    throw invalid('header/Idempotency-Key', 'must be 1 to 255 characters');
  return key;
}
