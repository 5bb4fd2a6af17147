/**
 * Opens the event stream after the login, and applies each of its events to the state. If the stream starts at a new
 * position (`ready` without `resumed`, or `gap`), the page loads its conversations again, because it may have missed
 * messages.
 */
import type { EventStream, Message, Parley, StreamEvent } from '@parley-chat/client';
import { EVERYBODY, insert, trim } from './conversation.ts';
import type { History } from './history.ts';
import type { Mailbox } from './mailbox.ts';
import { createPresence } from './presence.ts';
import { reloadConversations } from './reload-conversations.ts';
import type { Store } from './state.ts';

export type EventHandlers = { stream: EventStream; stop(): void };
type Deps = {
  parley: Parley;
  store: Store;
  history: History;
  mailbox: Mailbox;
  /** Called with each message from somebody else. */
  onNews: (message: Message) => void;
};
type EventOf<Kind extends StreamEvent['kind']> = Extract<StreamEvent, { kind: Kind }>;
type Handlers = { [Kind in StreamEvent['kind']]: (event: EventOf<Kind>) => void };

export function startEventHandlers(deps: Deps): EventHandlers {
  const { parley, store } = deps;
  const { state, changed } = store;
  const handlers = createHandlers(deps);
  const stop = new AbortController();
  const stream = parley.events({
    signal: stop.signal,
    acknowledge: false, // a message that was received has not been seen yet; mailbox.ts acknowledges
    onState: (connection) => {
      if (stop.signal.aborted) return;
      state.connection = connection;
      if (connection.kind === 'waiting') state.retryAtMs = Date.now() + connection.delayMs;
      changed();
    },
  });

  void (async () => {
    for await (const event of stream) {
      handlers[event.kind](event as never); // the handler is of the same kind as the event
      changed();
    }
  })();

  return { stream, stop: () => stop.abort() };
}

function createHandlers(deps: Deps): Handlers {
  const { parley, store, history, mailbox } = deps;
  const { state } = store;
  const presence = createPresence(parley, store);
  const onMessage = (message: Message): void => receive(message, deps);
  return {
    ready: ({ online, resumed }) => {
      state.onlineTotal = online;
      void presence.ask();
      const open = state.open === undefined ? undefined : state.talks.get(state.open);
      if (!resumed) void reloadConversations(deps);
      else if (open?.history === 'failed') void history.older(open);
    },
    dm: onMessage,
    broadcast: onMessage,
    presence: (event) => {
      presence.tell(event);
      if (event.resync) void presence.ask();
    },
    mailbox: ({ upTo, unread }) => {
      mailbox.acknowledged(upTo, unread);
      for (const conversation of state.talks.values())
        if (conversation.name !== EVERYBODY) conversation.unread = mailbox.unread(conversation.name);
    },
    gap: () => {
      state.hasGap = true;
      void reloadConversations(deps);
    },
    goodbye: () => {},
  };
}

function receive(message: Message, { store, mailbox, onNews }: Deps): void {
  const { state } = store;
  const isNews = message.from !== state.me;
  const conversation = store.talk(conversationNameOf(message, state.me));
  insert(conversation, [message]);
  if (state.open !== conversation.name || state.isAtEnd) trim(conversation);
  if (message.kind === 'broadcast') {
    if (isNews) conversation.unread += 1;
  } else if (message.to === state.me) {
    mailbox.received(message);
    if (!isNews) mailbox.see(message.from); // a note to oneself
    conversation.unread = mailbox.unread(conversation.name);
  }
  if (isNews) onNews(message);
}

function conversationNameOf(message: Message, me: string | undefined): string {
  if (message.kind === 'broadcast') return EVERYBODY;
  return message.from === me ? message.to : message.from;
}
