/** The conversations of an account, most recent first, each with its last message and its number of unread messages. */
import type { components } from '../contract.d.ts';
import { directChannel, otherMember } from '../store/channels.ts';
import type { ConversationStore, ListPlace } from '../store/conversations.ts';
import type { Caller, DirectMessage } from './model.ts';
import { invalid } from './problems.ts';

type ConversationPage = components['schemas']['ConversationPage'];

export function createConversationList({ conversations }: { conversations: ConversationStore }) {
  return {
    /** A page ends at `limit`, or earlier if the last messages would exceed the size of a page. */
    async conversations(
      { username }: Caller,
      limit: number,
      cursor: string | undefined,
      signal?: AbortSignal,
    ): Promise<ConversationPage> {
      const place = cursor === undefined ? undefined : parseListCursor(cursor, username);
      const { listed, next } = await conversations.page(username, limit, place, signal);
      const channels = listed.map(({ channel }) => channel);
      const lastMessages = await conversations.newest(username, channels, signal);
      const lastRead = lastMessages.length < listed.length ? listed[lastMessages.length - 1] : undefined;
      const nextPlace = lastRead ? { before: lastRead.at, from: lastRead.channel } : next;
      return {
        conversations: lastMessages.flatMap((last, index) => {
          const { channel, unread } = listed[index]!;
          return last
            ? [{ with: otherMember(channel, username), last: JSON.parse(last) as DirectMessage, unread }]
            : [];
        }),
        nextCursor: nextPlace ? formatListCursor(nextPlace, username) : null,
      };
    },
  };
}

/**
 * `before.with`: a time in base 36, and the name of the other member in base64url, which is safe in a URL in any script. The
 * channel would contain two names, which can be too long for a cursor.
 */
const LIST_CURSOR = /^(-?[0-9a-z]{1,10})\.([\w-]{1,200})$/;

function formatListCursor({ before, from }: ListPlace, username: string): string {
  const other = otherMember(from, username);
  return `${before.toString(36)}.${Buffer.from(other).toString('base64url')}`;
}

function parseListCursor(cursor: string, username: string): ListPlace {
  const [, before = '', other = ''] = LIST_CURSOR.exec(cursor) ?? [];
  const place = {
    before: Number.parseInt(before, 36),
    from: directChannel(username, Buffer.from(other, 'base64url').toString()),
  };
  if (formatListCursor(place, username) !== cursor) throw notACursor();
  return place;
}

const notACursor = () =>
  invalid('query/cursor', 'is not a cursor of this list. Use the `nextCursor` of a page');
