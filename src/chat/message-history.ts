/** The histories of the broadcasts and of conversations, in pages. */
import type { AccountStore } from '../store/accounts.ts';
import { directChannel } from '../store/channels.ts';
import { parseEntry } from '../store/log/entry.ts';
import type { LogPart, Window } from '../store/log/log-reader.ts';
import type { LogStore } from '../store/log/log-store.ts';
import type { Keys } from '../store/redis/keys.ts';
import {
  type BroadcastMessage,
  type Caller,
  type DirectMessage,
  type Message,
  unknownUser,
} from './model.ts';
import { invalid } from './problems.ts';
import type { UsernameRegistry } from './username-registry.ts';

type Page<M extends Message> = { messages: M[]; hasMore: boolean };
type PageRequest = { before?: number | undefined; after?: number | undefined; limit: number };

export function createMessageHistory(options: {
  logs: LogStore;
  accounts: AccountStore;
  names: UsernameRegistry;
  keys: Keys;
}) {
  const { logs, accounts, names, keys } = options;

  return {
    async broadcasts(
      { username }: Caller,
      request: PageRequest,
      signal?: AbortSignal,
    ): Promise<Page<BroadcastMessage>> {
      return toPage(
        await logs.read(keys.everyone, { ...windowOf(request), requester: username, signal }),
        request,
      );
    },

    async conversation(
      { username }: Caller,
      name: string,
      request: PageRequest,
      signal?: AbortSignal,
    ): Promise<Page<DirectMessage>> {
      const other = await names.resolveOrUnknown(name);
      const channel = directChannel(username, other);
      const window = { ...windowOf(request), requester: username, signal };
      const [part, exists] = await Promise.all([
        logs.read(keys.direct(channel), window, (seq, raw) => parseEntry(seq, raw, channel)),
        accounts.exists(other),
      ]);
      if (!exists) throw unknownUser();
      return toPage(part, request);
    },
  };
}

function windowOf({ before, after, limit }: PageRequest): Window {
  if (before !== undefined && after !== undefined)
    throw invalid('query/before', 'cannot be combined with `after`. Send one of the two');
  return {
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
    count: limit,
  };
}

function toPage<M extends Message>({ entries, first, end }: LogPart, { after }: PageRequest): Page<M> {
  const [oldest, newest] = [entries[0], entries.at(-1)];
  const hasMore = after === undefined ? oldest && oldest.seq > first : newest && newest.seq < end.seq;
  return {
    messages: entries.filter(({ type }) => type === 'message').map(({ message }) => JSON.parse(message) as M),
    hasMore: hasMore ?? false,
  };
}
