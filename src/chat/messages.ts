/** Messages: sending, histories, and the list of conversations. */
import type { AccountStore } from '../store/accounts.ts';
import type { ConversationStore } from '../store/conversations.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Keys } from '../store/redis/keys.ts';
import { createConversationList } from './conversation-list.ts';
import { createMessageHistory } from './message-history.ts';
import { createMessageSender } from './message-sender.ts';
import type { Message } from './model.ts';
import type { StorageGuard } from './storage-guard.ts';
import type { UsernameRegistry } from './username-registry.ts';

export type Messages = ReturnType<typeof createMessages>;

export function createMessages(options: {
  logs: LogStore;
  conversations: ConversationStore;
  accounts: AccountStore;
  names: UsernameRegistry;
  keys: Keys;
  now: () => number;
  storage: StorageGuard;
  /** Called once for each message that was stored. */
  onSent: (kind: Message['kind']) => void;
}) {
  return {
    ...createMessageSender(options),
    ...createMessageHistory(options),
    ...createConversationList(options),
  };
}
