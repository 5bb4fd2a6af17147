/**
 * The stream, from login to logout, and what each of its events changes on the page. A new place in the stream (`ready`
 * that did not resume, or a `gap`) makes the page read everything anew: it cannot know what it missed.
 */
import type { EventStream, Message, Parley, StreamEvent } from '@parley-chat/client';
import { EVERYBODY, insert, lastOf, trim } from './conversation.ts';
import type { History } from './history.ts';
import type { Mailbox } from './mailbox.ts';
import { createPresence } from './presence.ts';
import type { Store } from './state.ts';

export type EventHandlers = { stream: EventStream; stop(): void };
type Deps = {
  parley: Parley;
  store: Store;
  history: History;
  mailbox: Mailbox;
  /** For who does not look: a message that somebody else sent. */
  onNews: (message: Message) => void;
};

const CONVERSATIONS = 100;

export function startEventHandlers({ parley, store, history, mailbox, onNews }: Deps): EventHandlers {
  const { state, changed } = store;
  const presence = createPresence(parley, store);
  const stop = new AbortController();
  const stream = parley.events({
    signal: stop.signal,
    acknowledge: false, // what was received was not seen yet; mailbox.ts tells
    onState: (connection) => {
      if (stop.signal.aborted) return;
      state.connection = connection;
      if (connection.kind === 'waiting') state.retryAtMs = Date.now() + connection.delayMs;
      changed();
    },
  });

  const nameOf = (message: Message): string => {
    if (message.kind === 'broadcast') return EVERYBODY;
    return message.from === state.me ? message.to : message.from;
  };

  function hear(message: Message): void {
    const talk = store.talk(nameOf(message));
    const isNews = message.from !== state.me;
    insert(talk, [message]);
    if (state.open !== talk.name || state.isAtEnd) trim(talk);
    if (message.kind === 'broadcast') {
      if (isNews) talk.unread += 1;
    } else if (message.to === state.me) {
      mailbox.received(message);
      if (!isNews) mailbox.see(message.from); // a note to oneself
      talk.unread = mailbox.unread(talk.name);
    }
    if (isNews) onNews(message);
  }

  async function readAnew(): Promise<void> {
    for (const talk of state.talks.values()) history.distrust(talk);
    const open = state.open === undefined ? undefined : store.talk(state.open);
    const everybody = store.talk(EVERYBODY);
    await Promise.all([
      history.newest(everybody),
      open && open !== everybody && history.newest(open),
      readConversations(),
    ]);
  }

  /** What is unread comes with the stream; this is for the rest, and for the order. */
  async function readConversations(): Promise<void> {
    let cursor: string | null | undefined;
    for (let read = 0; read < CONVERSATIONS && cursor !== null; ) {
      const { data } = await parley.listConversations({
        limit: CONVERSATIONS - read,
        ...(cursor && { cursor }),
      });
      for (const { with: name, last } of data?.conversations ?? []) {
        const talk = store.talk(name);
        if (talk.history === 'unknown' && (lastOf(talk)?.seq ?? 0) < last.seq) insert(talk, [last]);
      }
      changed();
      read += data?.conversations.length || 1; // a page may be short, or empty, and not the last
      cursor = data?.nextCursor ?? null;
    }
  }

  const reactions: { [Kind in StreamEvent['kind']]: (event: Extract<StreamEvent, { kind: Kind }>) => void } =
    {
      ready: ({ online, resumed }) => {
        state.onlineTotal = online;
        void presence.ask();
        const open = state.open === undefined ? undefined : state.talks.get(state.open);
        if (!resumed) void readAnew();
        else if (open?.history === 'failed') void history.older(open);
      },
      dm: hear,
      broadcast: hear,
      presence: (event) => {
        presence.tell(event);
        if (event.resync) void presence.ask();
      },
      mailbox: ({ upTo, unread }) => {
        mailbox.acknowledged(upTo, unread);
        for (const talk of state.talks.values())
          if (talk.name !== EVERYBODY) talk.unread = mailbox.unread(talk.name);
      },
      gap: () => {
        state.hasGap = true;
        void readAnew();
      },
      goodbye: () => {},
    };

  void (async () => {
    for await (const event of stream) {
      reactions[event.kind](event as never); // the table is by kind, and so is the event
      changed();
    }
  })();

  return { stream, stop: () => stop.abort() };
}
