/** The messages of the stream that no screen has shown yet, the oldest first. */
import type { DirectMessage, Message } from '@parley-chat/client';

export type UnseenMessages = ReturnType<typeof createUnseenMessages>;

/** Older unseen broadcasts are dropped; the history still has them. */
const MAX_UNSEEN_BROADCASTS = 200;

export function createUnseenMessages(me: string) {
  let unseen: Message[] = [];

  const isMail = (message: Message): message is DirectMessage => message.kind === 'dm' && message.to === me;

  return {
    all: (): readonly Message[] => unseen,
    mail: (): readonly DirectMessage[] => unseen.filter(isMail),
    add(message: Message): void {
      unseen.push(message);
      const broadcasts = unseen.filter(({ kind }) => kind === 'broadcast');
      if (broadcasts.length > MAX_UNSEEN_BROADCASTS) unseen = unseen.filter((each) => each !== broadcasts[0]);
    },
    /** Removes the messages and returns the newest of them that has to be acknowledged. */
    remove(messages: readonly Message[]): DirectMessage | undefined {
      const ids = new Set(messages.map(({ id }) => id));
      unseen = unseen.filter(({ id }) => !ids.has(id));
      return messages.findLast(isMail);
    },
    /** Another session of this account has acknowledged messages: they count as seen here too. */
    removeAcknowledged(upTo: string, unread: number): void {
      const lastIndex = unseen.findIndex(({ id }) => id === upTo);
      unseen = unseen.filter((message, index) => !isMail(message) || (unread > 0 && index > lastIndex));
    },
  };
}
